"""Who says that files have changed: the system's file events, or a look every second."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

STEP = 0.1  # seconds between two looks at what the system has told
SETTLE = 0.15  # seconds in which what belongs together arrives
TICK = 1.0  # seconds between two looks at what sends no events
MOST_WATCHED = 2000  # files that are looked at each second, and the folders that hold them

Stamp = tuple[int, int, int]


class NoEvents(Exception):
    """The system tells nothing of files; the message says why."""


class Notices(Protocol):
    """Changed paths."""

    def wait(self, seconds: float) -> set[str]:
        """What has changed; at the latest after so many seconds, and then maybe nothing."""
        ...

    def close(self) -> None:
        """Stop listening."""
        ...


def stamp(path: str | Path) -> Stamp | None:
    """What changes when a file does, or None where there is none."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


class Events:
    """The system's own, by watchfiles, of existing folders and everything below them."""

    def __init__(self, roots: Iterable[Path]) -> None:
        try:
            from watchfiles import watch
        except ImportError as error:
            raise NoEvents("watchfiles is not installed") from error
        self.rounds: Iterator[set[tuple[int, str]]] = watch(
            *roots,
            watch_filter=None,
            debounce=int(SETTLE * 1000),
            step=int(STEP * 1000),
            rust_timeout=int(TICK * 1000),
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )  # type: ignore[assignment]
        self.early = self._next()  # listens from here on

    def wait(self, seconds: float) -> set[str]:
        """See Notices.wait; never longer than a tick."""
        early, self.early = self.early, set()
        return early or self._next()

    def _next(self) -> set[str]:
        try:
            return {path for _, path in next(self.rounds)}
        except StopIteration as error:  # watchfiles ends so when it is interrupted
            raise KeyboardInterrupt from error
        except (OSError, RuntimeError) as error:
            raise NoEvents(str(error)) from error

    def close(self) -> None:
        """See Notices.close."""
        getattr(self.rounds, "close", lambda: None)()


class Polling:
    """Size and time of the files that were written last, and of the folders that hold them."""

    def __init__(self, roots: Iterable[Path], files: Callable[[], Iterable[str]]) -> None:
        self.roots = [str(root) for root in roots]
        self.files = files
        self.stamps: dict[str, Stamp | None] = {}
        self.learn()

    def learn(self) -> None:
        """Choose what to look at: what was written last, and where."""
        written = [(found[2], path) for path in self.files() if (found := stamp(path)) is not None]
        latest = [path for _, path in sorted(written, reverse=True)[:MOST_WATCHED]]
        folders = dict.fromkeys(self.roots)
        for path in latest:
            folders.update(dict.fromkeys(self._folders(path)))
        # Of a file not looked at before nobody knows whether it has changed meanwhile.
        known = {path: stamp(path) for path in folders} | self.stamps
        self.stamps = {path: known.get(path) for path in (*latest, *folders)}

    def _folders(self, path: str) -> Iterator[str]:
        """The folders above a file, up to its root."""
        for folder in Path(path).parents:
            if not any(folder.is_relative_to(root) for root in self.roots):
                return
            yield str(folder)

    def wait(self, seconds: float) -> set[str]:
        """See Notices.wait; never longer than a tick."""
        time.sleep(min(seconds, TICK))
        changed = set()
        for path, before in self.stamps.items():
            now = stamp(path)
            if now != before:
                self.stamps[path] = now
                changed.add(path)
        return changed

    def close(self) -> None:
        """See Notices.close."""
