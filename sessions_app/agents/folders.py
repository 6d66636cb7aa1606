"""Walking the folders below a path given by hand, without leaving it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

# Trees of other people's files, where looking for sessions only costs time.
SKIPPED = frozenset((".git", ".hg", ".svn", ".venv", "__pycache__", "node_modules"))
# Says of a path that somebody wants it left alone.
Excluded = Callable[[str], bool]
_excluded: ContextVar[Excluded | None] = ContextVar("excluded", default=None)


@contextmanager
def excluding(excluded: Excluded | None) -> Iterator[None]:
    """Meanwhile folders do not show what is excluded, so that no reader opens it."""
    before = _excluded.get()
    _excluded.set(excluded)
    try:
        yield
    finally:
        _excluded.set(before)


class Folder:
    """One folder: its plain files and sub-folders by name. Symlinks are only counted as names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: list[str] = []
        self.folders: list[str] = []
        self.others: list[str] = []  # symlinks, pipes, devices
        excluded = _excluded.get()
        try:
            with os.scandir(path) as listing:
                for entry in sorted(listing, key=lambda entry: entry.name):
                    if excluded is None or not excluded(entry.path):
                        self._take(entry)
        except OSError:
            return

    def _take(self, entry: os.DirEntry[str]) -> None:
        if entry.is_dir(follow_symlinks=False):
            self.folders.append(entry.name)
        elif entry.is_file(follow_symlinks=False):
            self.files.append(entry.name)
        else:
            self.others.append(entry.name)


def existing(paths: Iterable[Path]) -> list[Path]:
    """Those of these folders that are there."""
    return [path for path in paths if path.is_dir()]


def walk(root: Path, depth: int | None = None) -> Iterator[Folder]:
    """`root` and the folders below it, by name, down to `depth` levels.

    Who takes names out of a folder's `folders` keeps the walk out of them.
    """
    waiting = [(root, 0)]
    while waiting:
        path, level = waiting.pop()
        folder = Folder(path)
        yield folder
        if depth is None or level < depth:
            names = [name for name in reversed(folder.folders) if name not in SKIPPED]
            waiting += [(path / name, level + 1) for name in names]
