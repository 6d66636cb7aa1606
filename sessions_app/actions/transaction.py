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

_held = threading.local()


@contextmanager
def write_transaction() -> Iterator[None]:
    """A short write transaction. Nested calls join the outer one.

    SQLite's busy wait is not a queue: of eight writers one got a single write in 8 s. The lock
    on a file puts them in line; it goes with the process, so a killed writer blocks nobody.
    """
    if connection.vendor != "sqlite" or getattr(_held, "depth", 0):
        with transaction.atomic():
            yield
        return
    handle = os.open(_lock_path(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        _held.depth = 1
        with transaction.atomic():
            yield
    finally:
        _held.depth = 0
        os.close(handle)


def _lock_path() -> Path:
    folder = Path(settings.SESSIONS_DATA_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "write.lock"
