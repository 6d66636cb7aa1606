"""Stored files: artifacts and images, each once, named by the SHA-256 of its bytes.

A file is written before the transaction that refers to it: what a crash leaves is an orphan,
never a row without its bytes.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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
    if not _is_here(digest):
        with _new_file() as (out, name):
            out.write(data)
            _settle(out, name, digest)
    return digest


def put_file(path: Path, limit: int) -> tuple[str, int]:
    """Store a copy of the regular file `path`, block by block; (SHA-256, size).

    Raises OSError when it cannot be read, ValueError when it is no plain file or longer than
    `limit` bytes.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb") as source:
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            raise ValueError("not a plain file")
        return put_blocks(iter(lambda: source.read(BLOCK), b""), limit)


def put_blocks(blocks: Iterable[bytes], limit: int) -> tuple[str, int]:
    """Store a stream of bytes; (SHA-256, size). Raises ValueError beyond `limit` bytes."""
    size, total = 0, hashlib.sha256()
    with _new_file() as (out, name):
        for block in blocks:
            size += len(block)
            if size > limit:
                raise ValueError(f"longer than {limit} bytes")
            total.update(block)
            out.write(block)
        digest = total.hexdigest()
        if not _is_here(digest):
            _settle(out, name, digest)
    return digest, size


def _is_here(digest: str) -> bool:
    """Whether it is stored; then its age begins anew, so that nobody sweeps it away meanwhile."""
    try:
        os.utime(stored_path(digest))
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _new_file() -> Iterator[tuple[BinaryIO, Path]]:
    """A file beside the stored ones, gone at the end unless it has settled among them."""
    folder = Path(settings.SESSIONS_STORAGE_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as out:
            yield out, Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _settle(out: BinaryIO, name: Path, digest: str) -> None:
    """Give a written file its name; it and the folders that name it survive a power cut."""
    target = stored_path(digest)
    out.flush()
    os.fsync(out.fileno())
    is_new_folder = not target.parent.exists()
    target.parent.mkdir(exist_ok=True)
    os.replace(name, target)
    _sync(target.parent)
    if is_new_folder:
        _sync(target.parent.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
