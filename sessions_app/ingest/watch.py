"""Read what changes as soon as it does, and do nothing while nothing does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from django.conf import settings

from sessions_app.agents import AGENTS
from sessions_app.ingest.discover import Found
from sessions_app.ingest.notices import Events, NoEvents, Notices, Polling, Stamp, stamp
from sessions_app.ingest.report import Report
from sessions_app.ingest.run import LookAtAll, Wish, ingest

REST = 20  # after a look at everything come so many times its length of rest,
LONGEST_REST = 10.0  # but never more seconds: a look may have read gigabytes
SELDOM = 10  # with file events everything is looked at so much more seldom


def wanted_path() -> Path:
    """A file that is touched to have everything looked at now."""
    return Path(settings.SESSIONS_DATA_DIR) / "ingest-wanted"


def look_soon() -> None:
    """Have a process that watches look at everything, whoever asks."""
    wanted_path().touch()


@dataclass(slots=True)
class Due:
    """When to look at everything: `at` the latest, and never before `not_before`."""

    at: float = 0.0
    not_before: float = 0.0

    def soon(self) -> None:
        self.at = min(self.at, self.not_before)

    def later(self, started: float, pause: float) -> None:
        now = time.monotonic()
        self.at = now + pause
        self.not_before = now + min(REST * (now - started), LONGEST_REST)


@dataclass(slots=True)
class Watch:
    """Files being watched: `step` again and again reads what has changed."""

    wish: Wish
    say: Callable[[str], None]
    pause: float = 30.0  # seconds between two looks at everything where there are no events
    use_events: bool = True
    files: dict[str, Found] = field(default_factory=dict)
    due: Due = field(default_factory=Due)
    notices: Notices | None = None
    watched: dict[Path, tuple[int, int]] = field(default_factory=dict)
    wanted: Stamp | None = None

    def step(self, seconds: float) -> Report | None:
        """Wait for a change, at most so long, and read it; None when nothing was looked at."""
        notices = self._listen()
        if time.monotonic() >= self.due.at:
            return self._look()
        try:
            changed = notices.wait(max(min(seconds, self.due.at - time.monotonic()), 0))
        except NoEvents as error:
            self._fall_back(error)
            return None
        return self._read(changed) if changed or self._is_wanted() else None

    def close(self) -> None:
        """Stop listening."""
        if self.notices is not None:
            self.notices.close()
            self.notices = None

    def _listen(self) -> Notices:
        """Listen to the folders that are there now; they come, go and are replaced."""
        here = {root: identity for root in self._roots() if (identity := _identity(root))}
        if self.notices is not None and here == self.watched:
            return self.notices
        self.close()
        self.watched = here
        self.due.soon()
        if self.use_events and here:
            try:
                self.notices = Events(here)
            except NoEvents as error:
                self._fall_back(error)
        self.notices = self.notices or Polling(here, lambda: self.files)
        return self.notices

    def _roots(self) -> list[Path]:
        if self.wish.paths is not None:
            return self.wish.paths
        wanted = self.wish.sources
        chosen = (agent for agent in AGENTS if wanted is None or agent.name in wanted)
        return [root for agent in chosen for root in agent.homes(self.wish.home)]

    def _fall_back(self, error: NoEvents) -> None:
        self.use_events = False
        self.say(f"No file events ({error}): looking every second instead.")
        self.close()
        self.watched = {}

    def _is_wanted(self) -> bool:
        now = stamp(wanted_path())
        if now == self.wanted:
            return False
        self.wanted = now
        return True

    def _look(self) -> Report:
        """At everything."""
        started = time.monotonic()
        self.wanted = stamp(wanted_path())
        report = ingest(self.wish)
        self._remember(report.found)
        self.due.later(started, self.pause * (SELDOM if isinstance(self.notices, Events) else 1))
        return report

    def _remember(self, every: list[Found]) -> None:
        """Whose main file or companion a path is, so that a change leads to what it changes."""
        self.files = {
            str(path): found
            for found in every
            for path in (*found.source.companions, found.source.path)
        }
        if isinstance(self.notices, Polling):
            self.notices.learn()

    def _read(self, changed: set[str]) -> Report | None:
        """What has changed; what is not known yet takes a look at everything."""
        known = {path: self.files[path] for path in changed if path in self.files}
        if len(known) < len(changed) or not changed:
            self.due.soon()
        if not known:
            return None
        only = list({id(found): found for found in known.values()}.values())
        try:
            return ingest(replace(self.wish, only=only))
        except LookAtAll:
            self.due.soon()
            return None


def _identity(root: Path) -> tuple[int, int] | None:
    """Which file or folder has this name now."""
    try:
        found = os.stat(root)
    except OSError:
        return None
    return found.st_dev, found.st_ino
