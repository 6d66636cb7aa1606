"""What an open page of a session asks again and again: has anything changed?"""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotModified

from sessions_app.models import AgentSession

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

ASKS = "since_revision"  # the parameter of whoever asks
TRUSTED = 600  # seconds for which an answer need not ask again who may see the session
CACHE = "no-cache, private"
COLUMNS = (
    *("revision", "status", "total_tokens", "progress", "current_task"),
    *("audience", "owner_id", "trashed_at"),
)
TABLE = AgentSession._meta.db_table
# By hand: this runs every second or so for every open page, and the ORM takes longer than the row.
QUERY = f"SELECT {', '.join(COLUMNS)} FROM {TABLE} WHERE id = %s"


class QuietPages:
    """Answers 304 to an open page of a quiet session, before Django does any work.

    The tag is signed: it says which session, in which state, was shown by this address to this
    sign-in. While the row still says the same, nothing is told but that nothing has changed.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self.application = application

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        tag = environ.get("HTTP_IF_NONE_MATCH", "")
        asks = f"{ASKS}=" in environ.get("QUERY_STRING", "")
        if tag and asks and environ["REQUEST_METHOD"] == "GET" and _still_holds(environ, tag):
            start("304 Not Modified", [("ETag", tag), ("Cache-Control", CACHE)])
            return ()
        return self.application(environ, start)


def tags(request: HttpRequest, session: AgentSession) -> tuple[str, bool]:
    """The tag of what the session says now, and whether the asker's, however old, says the same."""
    state, asked = _state(session.pk), request.headers.get("If-None-Match", "")
    sign_in = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    pk, until = _parts(asked)
    same = pk == session.pk and _equal(asked, _tag(request.path, sign_in, pk, until, state))
    until = int(time.time()) + TRUSTED
    return _tag(request.path, sign_in, session.pk, until, state), same


def unchanged(tag: str) -> HttpResponseBase:
    """The page shows everything already."""
    return marked(HttpResponseNotModified(), tag)


def marked(response: HttpResponseBase, tag: str) -> HttpResponseBase:
    """An answer whose tag the browser brings back, and of which it keeps no copy."""
    if tag:
        response["ETag"] = tag
    response["Cache-Control"] = CACHE
    return response


def _still_holds(environ: WSGIEnvironment, tag: str) -> bool:
    pk, until = _parts(tag)
    now = time.time()
    if not now < until <= now + TRUSTED:
        return False
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    sign_in = _cookie(environ.get("HTTP_COOKIE", ""), settings.SESSION_COOKIE_NAME)
    try:
        return _equal(tag, _tag(path, sign_in, pk, until, _state(pk)))
    except DatabaseError:  # whoever does the work next says so
        return False
    finally:
        if not connection.in_atomic_block:  # as Django does it around each request
            connection.close_if_unusable_or_obsolete()


def _cookie(header: str, name: str) -> str:
    """The value of one cookie; nothing where it is missing or there are several."""
    found = [pair.partition("=")[2] for pair in header.split("; ") if pair.startswith(f"{name}=")]
    return found[0] if len(found) == 1 else ""


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


def _tag(path: str, sign_in: str, pk: int, until: int, state: str) -> str:
    words = "\0".join((path, sign_in, str(pk), str(until), state)).encode("utf-8", "replace")
    proof = hmac.digest(settings.SECRET_KEY.encode(), b"live\0" + words, "sha256")
    return f'"{pk}-{until}-{proof.hex()[:40]}"'


def _state(pk: int) -> str:
    """Everything that a live page shows, and who may see it."""
    with connection.cursor() as cursor:
        cursor.execute(QUERY, [pk])
        return repr(cursor.fetchone())
