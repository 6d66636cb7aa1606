"""How views answer: reads with `told`, writes with `write`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from django.http import HttpResponse
from django.utils import timezone

from sessions_app.actions.answers import Answer, answer_once, kept_answer
from sessions_app.api.auth import ApiRequest
from sessions_app.api.errors import JSON, RequestRefused
from sessions_app.models import AgentSession

LONGEST_KEY = 200


def told(data: Any, *, status: int = 200, etag: str = "") -> HttpResponse:
    """The answer of a read."""
    return _response(Answer(msgspec.json.encode(data), status, etag))


def done(
    data: Any, *, status: int = 200, etag: str = "", session: AgentSession | None = None
) -> Answer:
    """The answer of a write, for `write`; name the session that it tells of."""
    return Answer(msgspec.json.encode(data), status, etag, session)


def write(
    request: ApiRequest, work: Callable[[datetime], Answer], *, fingerprint: str = ""
) -> HttpResponse:
    """Do `work` in one durable transaction, once for each Idempotency-Key, and answer it.

    `work` gets the time that holds for the whole write, and calls actions. It may share its
    transaction with other writes and run in another thread: read and check the request before.
    `fingerprint` stands for the body where that was not read as a whole.
    """
    now = timezone.now()
    key = _key(request)
    answer = answer_once(
        lambda: work(now),
        user=request.auth.user,
        key=key,
        fingerprint=_fingerprint(request, fingerprint) if key else "",
        now=now,
    )
    return _response(answer)


def replay(request: ApiRequest, fingerprint: str) -> HttpResponse | None:
    """The first answer, if there was one: for work that cannot stand in one transaction.

    What is done then must be harmless when it is done again; `write` keeps its answer.
    """
    key = _key(request)
    told = _fingerprint(request, fingerprint)
    answer = kept_answer(request.auth.user, key, told, timezone.now())
    return None if answer is None else _response(answer)


def _key(request: ApiRequest) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > LONGEST_KEY or not key.isprintable() or not key.isascii():
        raise RequestRefused(f"Idempotency-Key is at most {LONGEST_KEY} printable ASCII letters.")
    return key


def _fingerprint(request: ApiRequest, body: str) -> str:
    """The same for the same request: method, address and plain body."""
    said = hashlib.sha256(f"{request.method} {request.get_full_path()}\n{body}".encode())
    if not body:
        said.update(request.body)
    return said.hexdigest()


def _response(answer: Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status, content_type=JSON)
    if answer.status == 204:
        del response["Content-Type"]
    if answer.etag:
        response["ETag"] = answer.etag
    if answer.is_replay:
        response["Idempotency-Replayed"] = "true"
    response["Cache-Control"] = "no-store"
    return response
