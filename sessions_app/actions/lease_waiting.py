"""Waiting for a lease: few at a time, and without a connection or lock of the database."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from django.db import connection

from sessions_app.actions.leases import Wanted, is_taken
from sessions_app.actions.refusals import SessionLocked
from sessions_app.models import AgentSession

USUAL_WAIT, LONGEST_WAIT = 5.0, 30.0  # seconds
PAUSE = 0.1
# Half the threads of a worker: whoever holds a lease must still get in to give it back.
MOST_WAITERS = 2

_places = threading.BoundedSemaphore(MOST_WAITERS)

Answer = TypeVar("Answer")


def try_until_free(
    session: AgentSession, wanted: Wanted, wait: float, attempt: Callable[[], Answer]
) -> Answer:
    """`attempt`, again when the lease has become free, until it is not refused or time is up."""
    deadline = time.monotonic() + min(wait, LONGEST_WAIT)
    try:
        return attempt()
    except SessionLocked as refusal:
        if wait <= 0 or not _places.acquire(blocking=False):
            raise
        busy = refusal
    try:
        while (left := deadline - time.monotonic()) > 0:
            _rest(min(PAUSE, left))
            if is_taken(session, wanted, now=datetime.now(UTC)):
                continue
            try:
                return attempt()
            except SessionLocked as refusal:  # somebody else was faster
                busy = refusal
        raise busy
    finally:
        _places.release()


def _rest(seconds: float) -> None:
    if not connection.in_atomic_block:
        connection.close()
    time.sleep(seconds)
