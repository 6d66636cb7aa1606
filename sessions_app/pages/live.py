"""What an open page of a session asks again and again: has anything changed?"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotModified
from django.utils.cache import patch_cache_control

from sessions_app.models import AgentSession

ASKS = "since_revision"  # the parameter of whoever asks
TRUSTED = 30  # seconds for which an answer need not ask again who may see the session
COLUMNS = (
    *("revision", "status", "total_tokens", "progress", "current_task"),
    *("audience", "owner_id", "trashed_at"),
)
TABLE = AgentSession._meta.db_table
# By hand: this runs once a second for every open page, and the ORM takes longer than the row.
QUERY = f"SELECT {', '.join(COLUMNS)} FROM {TABLE} WHERE id = %s"


class LivePageMiddleware:
    """Answers 304 to an open page of a quiet session, before anybody else does any work.

    The tag is signed: it says which session, in which state, was shown by this address to this
    sign-in. While the row still says the same, nothing is told but that nothing has changed.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        tag = request.META.get("HTTP_IF_NONE_MATCH", "")
        asks = request.method == "GET" and f"{ASKS}=" in request.META.get("QUERY_STRING", "")
        if tag and asks and _still_holds(request, tag):
            return unchanged(tag)
        return self.get_response(request)


def unchanged(tag: str) -> HttpResponseBase:
    """The page shows everything already."""
    return marked(HttpResponseNotModified(), tag)


def marked(response: HttpResponseBase, tag: str) -> HttpResponseBase:
    """An answer that the browser brings back its tag of, and keeps no copy."""
    if tag:
        response["ETag"] = tag
    patch_cache_control(response, private=True, no_cache=True)
    return response


def tags(request: HttpRequest, session: AgentSession) -> tuple[str, bool]:
    """The tag of what the session says now, and whether the asker's, however old, says the same."""
    state, asked = _state(session.pk), request.headers.get("If-None-Match", "")
    pk, until = _parts(asked)
    same = pk == session.pk and _equal(asked, _tag(request, pk, until, state))
    return _tag(request, session.pk, int(time.time()) + TRUSTED, state), same


def _still_holds(request: HttpRequest, tag: str) -> bool:
    pk, until = _parts(tag)
    now = time.time()
    if not now < until <= now + TRUSTED:
        return False
    return _equal(tag, _tag(request, pk, until, _state(pk)))


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())


def _parts(tag: str) -> tuple[int, int]:
    """The session and the time of a tag; zeros of what is none."""
    words = tag.strip('"').split("-")
    if len(words) != 3 or not all(word.isascii() and word.isdigit() for word in words[:2]):
        return 0, 0
    if max(map(len, words[:2])) > 18:
        return 0, 0
    return int(words[0]), int(words[1])


def _tag(request: HttpRequest, pk: int, until: int, state: str) -> str:
    sign_in = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    words = "\0".join((request.path, sign_in, str(pk), str(until), state))
    key = settings.SECRET_KEY.encode()
    proof = hmac.new(key, b"live\0" + words.encode("utf-8", "replace"), hashlib.sha256)
    return f'"{pk}-{until}-{proof.hexdigest()[:40]}"'


def _state(pk: int) -> str:
    """Everything that a live page shows, and who may see it."""
    with connection.cursor() as cursor:
        cursor.execute(QUERY, [pk])
        return repr(cursor.fetchone())
