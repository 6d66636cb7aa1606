"""Writing into one folder: nothing is overwritten, no link is followed, no name leads out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
READ_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
PART = ".part"  # of a file that is not complete yet


class AlreadyThere(OSError):
    """Something else has this name."""

    def __init__(self) -> None:
        super().__init__("something else is there already")


def write_file(
    folder: Path, parts: Sequence[str], content: Iterable[bytes], *, mtime_ns: int = 0
) -> int:
    """Write a file below `folder`; answers its size. The same bytes there already are fine.

    Raises AlreadyThere, or another OSError. Only its owner may read it: these are transcripts.
    """
    if any(name in ("", ".", "..") or "/" in name for name in parts):
        raise ValueError(f"not below a folder: {parts}")
    *above, name = parts
    with _inside(folder, above) as place:
        part = f".{name}{PART}"
        try:
            size = _write(place, part, content, mtime_ns)
            if not _exists(place, name):
                os.rename(part, name, src_dir_fd=place, dst_dir_fd=place)
                return size
            if not _is_same(place, part, name):
                raise AlreadyThere
            return size
        finally:
            if _exists(place, part):
                os.unlink(part, dir_fd=place)


@contextmanager
def _inside(folder: Path, names: Iterable[str]) -> Iterator[int]:
    """The folder at the end of `names` as a handle; missing ones are made."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            if not _exists(handle, name):
                os.mkdir(name, 0o700, dir_fd=handle)
            below = os.open(name, OPEN_FOLDER, dir_fd=handle)
            os.close(handle)
            handle = below
        yield handle
    finally:
        os.close(handle)


def _write(place: int, name: str, content: Iterable[bytes], mtime_ns: int) -> int:
    if _exists(place, name):  # of a run that was killed
        os.unlink(name, dir_fd=place)
    size = 0
    with os.fdopen(os.open(name, NEW_FILE, 0o600, dir_fd=place), "wb") as out:
        for block in content:
            size += out.write(block)
        out.flush()
        if mtime_ns > 0:
            os.utime(out.fileno(), ns=(mtime_ns, mtime_ns))
    return size


def _exists(place: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=place, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _is_same(place: int, one: str, two: str) -> bool:
    try:
        with (
            os.fdopen(os.open(one, READ_FILE, dir_fd=place), "rb") as first,
            os.fdopen(os.open(two, READ_FILE, dir_fd=place), "rb") as second,
        ):
            while block := first.read(1 << 20):
                if second.read(1 << 20) != block:
                    return False
            return not second.read(1)
    except OSError:
        return False
