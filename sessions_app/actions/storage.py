"""Stored files: artifacts and images, each once, named by the SHA-256 of its bytes.

A file is written before the transaction that refers to it: what a crash leaves is an orphan,
never a row without its bytes.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

BLOCK = 1024 * 1024


def stored_path(sha256: str) -> Path:
    """Where a stored file lies; names from outside never become paths."""
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        raise ValueError("not a SHA-256")
    return Path(settings.SESSIONS_STORAGE_DIR) / sha256[:2] / sha256


def open_stored(sha256: str) -> BinaryIO:
    """The bytes of a stored file. Raises FileNotFoundError when they are gone."""
    return stored_path(sha256).open("rb")


def put_bytes(data: bytes) -> str:
    """Store `data` durably and return its SHA-256."""
    digest = hashlib.sha256(data).hexdigest()
    target = stored_path(digest)
    if not target.exists():
        _write(target, data)
    return digest


def put_file(path: Path, limit: int) -> tuple[str, int]:
    """Store a copy of the regular file `path`; (SHA-256, size).

    Raises OSError when it cannot be read, ValueError when it is longer than `limit` bytes.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb") as source:
        data = source.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"longer than {limit} bytes")
    return put_bytes(data), len(data)


def _write(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
