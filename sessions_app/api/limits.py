"""How fast one token or person may ask: a bucket for each, shared by all processes of a machine.

The buckets stand in one small file that every worker maps into its memory, so that a request
costs two system calls and no write to the database. After a reboot they are full again.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from sessions_app.api.errors import TooFast

SLOT = struct.Struct("<qdd")  # who, requests left, when that was true
SLOTS = 16_384


def check_rate(who: int) -> None:
    """Take one request from the bucket of `who`; raises TooFast when it is empty."""
    rate = settings.SESSIONS_RATE_LIMIT
    wait = _buckets(Path(settings.SESSIONS_DATA_DIR) / "rate_limits").take(who, rate)
    if wait:
        raise TooFast(
            f"More than {rate} requests a second. Wait a moment, or send more in one request.",
            retry_after=wait,
            limit=rate,
        )


class Bucket(NamedTuple):
    who: int
    left: float
    at: float


class Buckets:
    """The file of buckets; two of the same slot push each other out, which only forgives."""

    def __init__(self, file: Path) -> None:
        self.handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = SLOT.size * SLOTS
        if os.fstat(self.handle).st_size < size:
            os.ftruncate(self.handle, size)
        self.memory = mmap.mmap(self.handle, size)
        self.threads = threading.Lock()  # a lock on the file does not keep threads apart

    def take(self, who: int, rate: int, now: float | None = None) -> float:
        """Seconds to wait for the next request; 0 when this one was taken."""
        # One clock for all processes, which nobody sets back.
        now = time.monotonic() if now is None else now
        offset = (who % SLOTS) * SLOT.size
        with self.threads:
            fcntl.lockf(self.handle, fcntl.LOCK_EX, SLOT.size, offset)
            try:
                bucket = Bucket._make(SLOT.unpack_from(self.memory, offset))
                left = _left(bucket, who, rate, now)
                wait = 0.0 if left >= 1 else (1 - left) / rate
                SLOT.pack_into(self.memory, offset, who, left if wait else left - 1, now)
            finally:
                fcntl.lockf(self.handle, fcntl.LOCK_UN, SLOT.size, offset)
        return wait


def _left(bucket: Bucket, who: int, rate: int, now: float) -> float:
    is_known = bucket.who == who and 0 < bucket.at <= now
    return min(bucket.left + (now - bucket.at) * rate, rate) if is_known else float(rate)


@lru_cache(maxsize=4)
def _buckets(file: Path) -> Buckets:
    return Buckets(file)
