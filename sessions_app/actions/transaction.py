"""One fair queue in front of SQLite's single writer; PostgreSQL needs none."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from sessions_app.actions.search_index import catch_up, forget_told


class _Line(threading.local):
    """What this thread has: the lock on the file, and an open transaction of ours."""

    def __init__(self) -> None:
        self.is_ours = self.is_open = False


_line = _Line()
RECORDING = 0x5E551045  # the advisory lock of whoever records on PostgreSQL


@contextmanager
def write_transaction() -> Iterator[None]:
    """A short write transaction, at its end the search index is told. Nested calls join it.

    SQLite's busy wait is not a queue: of eight writers one got a single write in 8 s. The lock
    on a file puts them in line; it goes with the process, so a killed writer blocks nobody.
    Whoever is in a transaction already has SQLite's own lock: to wait for the file then would
    be to wait for somebody who waits for us. So it is for what runs when we have committed.
    """
    if _line.is_open and connection.in_atomic_block:
        with transaction.atomic():
            yield
        return
    with _lock(), _opened(), transaction.atomic():
        yield
        catch_up()


@contextmanager
def _lock() -> Iterator[None]:
    """The lock on the file, unless SQLite's own or this one is ours already."""
    if connection.vendor != "sqlite" or connection.in_atomic_block or _line.is_ours:
        yield
        return
    handle = os.open(_lock_path(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        _line.is_ours = True
        yield
    finally:
        _line.is_ours = False
        os.close(handle)


@contextmanager
def _opened() -> Iterator[None]:
    _line.is_open = True
    try:
        yield
    finally:
        _line.is_open = False
        forget_told()


def record_alone() -> None:
    """Wait until nobody else records; for the rest of the transaction.

    Two recordings may tell the same session, response or chunk. What one of them looks up and
    then inserts, the other must not insert between; on SQLite there is one writer anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [RECORDING])


def _lock_path() -> Path:
    folder = Path(settings.SESSIONS_DATA_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "write.lock"
