"""The number of the lock under which a request writes."""

from __future__ import annotations

from django.http import HttpRequest

from sessions_app.api.errors import RequestRefused
from sessions_app.border import MAX_INT


def fence_of(request: HttpRequest) -> int | None:
    """What `X-Fence` says; None without it."""
    word = request.headers.get("X-Fence")
    if word is None:
        return None
    if not (word.isascii() and word.isdigit() and len(word) < 20 and 0 < int(word) <= MAX_INT):
        raise RequestRefused("X-Fence is the number that taking the lock answered.")
    return int(word)
