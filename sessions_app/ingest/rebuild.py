"""Everything parsed again from the raw record, also when the files have long been gone."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from django.db.models import F

from sessions_app.actions.prepared import FilePart
from sessions_app.actions.record import Collector, store
from sessions_app.actions.reparse import Before, fingerprints, restore
from sessions_app.actions.transaction import record_alone, write_transaction
from sessions_app.ingest.kept import KeptFiles
from sessions_app.ingest.run import only_one
from sessions_app.models import AgentSession, RawFile, Relation, User
from sessions_app.records import Problem

IN_MEMORY = 32 * 1024 * 1024  # bytes of a family whose parts are made before the transaction
Place = tuple[int, str]  # collector, machine
Progress = Callable[[int, int], None]  # sessions done, sessions in all


class _Undo(Exception):
    """Takes back what was only tried."""


@dataclass(slots=True)
class Reparsed:
    """What was read again, and whose conversation is another one now."""

    files: int = 0
    sessions: int = 0
    changed: list[str] = field(default_factory=list)  # short ids
    problems: list[Problem] = field(default_factory=list)


def rebuild(*, check: bool = False, progress: Progress = lambda *_: None) -> Reparsed:
    """Parse every session's kept files again; message ids stay. With `check` nothing is written.

    Each family of sessions in one transaction, so that forks and sub-agents find each other. A
    running ingest is waited for.
    """
    done = Reparsed()
    with only_one(wait=True):
        families = list(_families())
        total, seen = sum(map(len, (pks for _, pks in families))), 0
        for place, pks in families:
            try:
                _rebuild_family(place, pks, done, check=check)
            except (OSError, ValueError) as error:
                names = AgentSession.objects.filter(pk__in=pks).values_list("short_id", flat=True)
                done.problems.append(Problem(", ".join(names[:10]), str(error)))
            seen += len(pks)
            progress(seen, total)
    return done


def _families() -> Iterator[tuple[Place, list[int]]]:
    """Sessions with files, with those that they are linked to, of one collector and machine."""
    mine = Relation.objects.filter(parent__collector=F("child__collector"))
    links = list(mine.values_list("child", "parent", "kind"))
    places = _places(links)
    above: dict[int, int] = {session: session for session in places}

    def first(session: int) -> int:
        while above[session] != session:
            above[session] = session = above[above[session]]
        return session

    for child, parent, _kind in links:
        if child in places and places[child] == places.get(parent):
            above[first(child)] = first(parent)
    families: dict[int, list[int]] = defaultdict(list)
    for session in sorted(places):
        families[first(session)].append(session)
    for session, pks in families.items():
        yield places[session], pks


def _places(links: list[tuple[int, int, str]]) -> dict[int, Place]:
    """Where the files of each session are; one file may tell of a session and its sub-agents."""
    files = RawFile.objects.exclude(session=None).values_list("session", "collector", "host")
    places: dict[int, Place] = {session: (user, host) for session, user, host in files.iterator()}
    for child, parent, kind in reversed(links):
        if kind == Relation.Kind.SUBAGENT:
            for one, other in ((child, parent), (parent, child)):
                if one in places:
                    places.setdefault(other, places[one])
    return places


def _rebuild_family(place: Place, pks: list[int], done: Reparsed, *, check: bool) -> None:
    user, host = User.objects.get(pk=place[0]), place[1]
    here = RawFile.objects.filter(collector=user, host=host)
    own = list(here.filter(session__in=pks))
    mains = {file.main_path for file in own} - {file.path for file in own} - {""}
    files = own + list(here.filter(path__in=mains))
    with tempfile.TemporaryDirectory(prefix="agent-sessions-") as scratch:
        kept = KeptFiles(Path(scratch), files)
        if not kept.units:
            return
        by = Collector(user=user, owner=user, host=host, now=datetime.now(UTC))
        parts = kept.parts()
        if kept.size <= IN_MEMORY:
            parts = iter(list(parts))  # so that nobody waits for the reading
        try:
            with write_transaction():
                record_alone()
                changed = _read_again(kept, parts, by, pks, done)
                if check:
                    raise _Undo
        except _Undo:
            pass
    done.files += len(kept.units)
    done.sessions += len(pks)
    done.changed += changed


def _read_again(
    kept: KeptFiles, parts: Iterable[FilePart], by: Collector, pks: list[int], done: Reparsed
) -> list[str]:
    before, prints = Before(pks), fingerprints(pks)
    for part in parts:
        if part.failure:
            done.problems.append(Problem(part.path, part.failure))
        store([part], by)
    lost = sum(map(len, by.kept.values()))
    if lost and kept.is_same_reader:
        raise ValueError(f"{lost} messages are in no file: it is left as it is")
    restore(before)
    after = fingerprints(pks)
    changed = [pk for pk in pks if prints.get(pk) != after.get(pk)]
    found = AgentSession.objects.filter(pk__in=changed).order_by("pk")
    return list(found.values_list("short_id", flat=True))
