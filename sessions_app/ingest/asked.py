"""A session that was deleted here comes back when its file has changed and somebody asks for it.

Who names the file and wants it read in full asks: `ingest_sessions --full PATH`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sessions_app.actions.keeping import restore_session
from sessions_app.actions.refusals import NameTaken
from sessions_app.ingest.reading import Unit
from sessions_app.models import RawFile, User
from sessions_app.records import Problem

ROWS = "#"


def give_back(
    units: Iterable[Unit], *, collector: User, host: str, now: datetime
) -> tuple[int, list[Problem]]:
    """Restore what these units tell anew since it was deleted; (how many, what could not be)."""
    changed = {
        unit.main.path: max(item.ctime_ns for item in (unit.main, *unit.companions))
        for unit in units
    }
    files = RawFile.objects.filter(
        collector=collector, host=host, session__trashed_at__isnull=False
    ).select_related("session")
    restored: set[int] = set()
    problems: list[Problem] = []
    for file in files:
        session = file.session
        if session is None or session.pk in restored or not _has_news(file, changed):
            continue
        try:
            restore_session(session, by=collector, now=now)
        except NameTaken as error:
            problems.append(Problem(file.path, str(error)))
        else:
            restored.add(session.pk)
    return len(restored), problems


def _has_news(file: RawFile, changed: dict[str, int]) -> bool:
    """Whether the file was written since. Of a database only the session's own rows tell that."""
    ctime_ns = changed.get(file.main_path or file.path)
    session = file.session
    if ctime_ns is None or session is None or session.trashed_at is None:
        return False
    if file.main_path and file.path.startswith(f"{file.main_path}{ROWS}"):
        return session.last_active > session.trashed_at
    return ctime_ns / 1e9 > session.trashed_at.timestamp()
