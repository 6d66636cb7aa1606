"""Bytes of files on other machines, as far as they have come: a copy of each, below one folder.

A path from outside becomes a path here, so it is looked at first: it leads only downwards, and
everything in the spool was made by us, so that no link leads out of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from sessions_app import border
from sessions_app.actions.refusals import BadValue
from sessions_app.agents import AGENTS

HEAD = 4096
LONGEST_NAME, MOST_DEPTH = 255, 40
# The first folder in the spool, and how the paths begin that lie in it.
TOPS = {"root": "/", "home": "~/"}
BLOCK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """One file of one machine: who sends it, of which agent, and what it is called there."""

    user_id: int
    source: str
    host: str
    path: str  # "/..." or "~/..."

    @property
    def root(self) -> Path:
        """Where the files of this machine and agent lie."""
        machine = hashlib.sha256(self.host.encode()).hexdigest()[:16]
        folder = Path(settings.SESSIONS_DATA_DIR) / "spool" / str(self.user_id) / machine
        return folder / self.source

    @property
    def file(self) -> Path:
        """Where its bytes lie here."""
        return self.here(self.path)

    def here(self, path: str) -> Path:
        """A path over there -> the path in the spool."""
        top = "home" if path.startswith("~/") else "root"
        return self.root / top / path.removeprefix(TOPS[top])

    def there(self, path: str) -> str:
        """And back; what does not lie in the spool stays as it is."""
        for top, start in TOPS.items():
            prefix = f"{self.root / top}/"
            if path.startswith(prefix):
                return start + path[len(prefix) :]
        return path


def place_of(user_id: int, *, source: str, host: str, path: str) -> Place:
    """The place that a sender names. Raises BadValue for one that cannot be."""
    if source not in {agent.name for agent in AGENTS}:
        raise BadValue(_("No such source: {source}.").format(source=source[:40]), field="source")
    if not host or host != border.clean_line(host, 200):
        raise BadValue(_("A host has a name of at most 200 characters."), field="host")
    top = "root" if path.startswith("/") else "home"
    inner = path.removeprefix("~/").removeprefix("/")
    parts = inner.split("/")
    is_fine = (
        border.is_tame(inner)
        and len(path.encode()) <= border.MAX_PATH
        and len(parts) <= MOST_DEPTH
        and all(len(part.encode()) <= LONGEST_NAME for part in parts)
        and parts[0] != "~"
    )
    if not is_fine:
        raise BadValue(
            _("A file's path is relative to the home of its agent and leads only downwards."),
            field="path", path=ascii(path[:100]),
        )  # fmt: skip
    return Place(user_id, source, host, TOPS[top] + inner)


@contextmanager
def alone(place: Place) -> Iterator[None]:
    """Nobody else writes or reads the files of this machine and agent meanwhile.

    To be entered outside of any transaction: who holds the database must not wait for this.
    """
    folder = place.root.parent
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = folder / f"{place.source}.lock"
    handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def size_here(place: Place) -> int:
    """How many bytes there are; 0 without the file."""
    try:
        return place.file.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


def head_hash(place: Place, size: int) -> str:
    """SHA-256 of the first bytes, at most 4,096 and at most `size`."""
    with place.file.open("rb") as file:
        return hashlib.sha256(file.read(min(size, HEAD))).hexdigest()


def holds(place: Place, offset: int, body: BinaryIO, count: int) -> bool:
    """Whether the next `count` bytes of `body` stand at `offset` already; reads them."""
    with place.file.open("rb") as file:
        file.seek(offset)
        while count > 0:
            block = body.read(min(count, BLOCK))
            if not block or file.read(len(block)) != block:
                return False
            count -= len(block)
    return True


def write_at(place: Place, offset: int, body: BinaryIO) -> int:
    """Cut the file at `offset`, write the rest of `body` there, durably; answers the new size."""
    place.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(place.file, flags, 0o600), "r+b") as file:
        file.truncate(offset)
        file.seek(offset)
        while block := body.read(BLOCK):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()
