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

from sessions_app.actions.search_index import catch_up

_line = threading.local()  # whether this thread has the lock on the file
RECORDING = 0x5E551045  # the advisory lock of whoever records on PostgreSQL


@contextmanager
def write_transaction() -> Iterator[None]:
    """A short write transaction, at its end the search index is told. Nested calls join it.

    SQLite's busy wait is not a queue: of eight writers one got a single write in 8 s. The lock
    on a file puts them in line; it goes with the process, so a killed writer blocks nobody.
    Whoever is in a transaction already has SQLite's own lock: to wait for the file then would
    be to wait for somebody who waits for us. So it is for what runs when we have committed.
    """
    is_first = not getattr(_line, "is_ours", False)
    if connection.vendor != "sqlite" or connection.in_atomic_block or not is_first:
        with transaction.atomic():
            yield
            catch_up()
        return
    handle = os.open(_lock_path(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        _line.is_ours = True
        with transaction.atomic():
            yield
            catch_up()
    finally:
        _line.is_ours = False
        os.close(handle)


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
