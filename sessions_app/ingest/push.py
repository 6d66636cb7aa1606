"""Files of other machines, sent piece by piece, and read by the readers that read our own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from django.utils.translation import gettext_lazy as _

from sessions_app.actions.prepared import FilePart
from sessions_app.actions.record import Collector, store
from sessions_app.actions.refusals import Refused
from sessions_app.actions.transaction import write_transaction
from sessions_app.agents.base import Agent, SourceFile
from sessions_app.ingest import spool
from sessions_app.ingest.changes import Known, changed_units, known_files
from sessions_app.ingest.discover import Found
from sessions_app.ingest.exclude import matches
from sessions_app.ingest.reading import Unit, agent_named
from sessions_app.ingest.report import Report
from sessions_app.ingest.spool import Place
from sessions_app.ingest.worker import batches
from sessions_app.models import ExcludeRule, Project, PushedFile, RawFile, User

MOST_FILES = 200_000  # of one machine
MOST_ABOVE = 8  # folders in which the main file of a small one is looked for
HOME = Path("~")


class OffsetConflict(Refused):
    """These bytes do not go on where the file ends here; details: size, generation."""

    code = "offset_conflict"


class FileChanged(Refused):
    """The bytes before are others: a new generation begins at 0; details: size, generation."""

    code = "file_changed"


class Excluded(Refused):
    """A rule of this instance keeps such files out."""

    code = "excluded"


@dataclass(frozen=True, slots=True)
class Push:
    """Bytes of a file at an offset. `head`: SHA-256 of the file's first bytes, up to the offset,
    at most 4,096. `size`: how long the file is over there, when more is still to come."""

    place: Place
    generation: int
    offset: int
    head: str = ""
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Pushed:
    """How far the file is here now, and what reading it brought."""

    file: PushedFile
    report: Report


def push_file(
    push: Push, body: BinaryIO, *, by: User, now: datetime, project: Project | None = None
) -> Pushed:
    """Append, durably, and read what is new. The same bytes again change nothing."""
    _check_rules(push.place)
    with spool.alone(push.place):
        row = _row(push, now)
        _check_place(push, row)
        before = row.generation
        if push.generation > row.generation or row.pk is None:
            row.generation, row.size = push.generation, 0
        known = row.size - push.offset
        if known > 0 and not spool.holds(push.place, push.offset, body, known):
            # Fewer bytes than there are here, all the same, are a retry.
            if body.read(1) or not _is_retry(push, body, known):
                raise FileChanged(_("The bytes differ from those that were sent before."),
                                  size=row.size, generation=row.generation)  # fmt: skip
        elif _has_more(body) or row.pk is None or row.generation != before:
            row.size = spool.write_at(push.place, max(row.size, push.offset), body)
            _save(row, push, now)
        report = Report()
        if push.size is None or row.size >= push.size:
            report = read_pushed(push.place, by=by, now=now, project=project)
            if row.parsed_size != row.size:
                row.parsed_size = row.size
                with write_transaction():
                    row.save(update_fields=["parsed_size"])
    return Pushed(row, report)


def _has_more(body: BinaryIO) -> bool:
    here = body.tell()
    more = bool(body.read(1))
    body.seek(here)
    return more


def _is_retry(push: Push, body: BinaryIO, known: int) -> bool:
    """Whether the whole body stands here already."""
    length = body.seek(0, 2)
    body.seek(0)
    return length <= known and spool.holds(push.place, push.offset, body, length)


def _check_rules(place: Place) -> None:
    patterns = ExcludeRule.objects.values_list("pattern", flat=True)
    if any(matches(pattern, HOME, [place.path]) for pattern in patterns):
        raise Excluded(_("A rule of this instance keeps such files out."), path=place.path)


def _row(push: Push, now: datetime) -> PushedFile:
    place = push.place
    rows = PushedFile.objects.filter(collector=place.user_id, host=place.host)
    row = rows.filter(source=place.source, path=place.path).first()
    if row is None:
        if rows.count() >= MOST_FILES:
            raise OffsetConflict(_("Too many files of one machine."), limit=MOST_FILES)
        return PushedFile(
            collector_id=place.user_id, source=place.source, host=place.host, path=place.path,
            generation=push.generation, received_at=now,
        )  # fmt: skip
    if spool.size_here(place) < row.size:  # the spool was emptied, or a new generation cut off
        row.size = 0
    return row


def _check_place(push: Push, row: PushedFile) -> None:
    if push.generation > row.generation and push.offset == 0:
        return
    told = {"size": row.size, "generation": row.generation}
    if push.generation != row.generation or push.offset > row.size:
        raise OffsetConflict(
            _("The file here has {size} bytes of generation {generation}: go on from there.")
            .format(**told), **told,
        )  # fmt: skip
    if push.offset and spool.head_hash(push.place, push.offset) != push.head.lower():
        raise FileChanged(
            _("The bytes before are others: send the file anew as the next generation."), **told
        )


def _save(row: PushedFile, push: Push, now: datetime) -> None:
    row.head_sha256 = spool.head_hash(push.place, row.size)
    row.received_at = now
    with write_transaction():
        row.save()


def read_pushed(place: Place, *, by: User, now: datetime, project: Project | None = None) -> Report:
    """Read what is new in the unit that this file belongs to, and store it."""
    report = Report()
    agent = agent_named(place.source)
    found = [Found(agent, source) for source in _sources(agent, place)]
    known = _known(found, place, by)
    units = changed_units(found, known, report)
    for unit in units:
        # What was read by itself turns out to be a part: the whole takes its place.
        is_new = unit.main.path not in known
        unit.replace |= is_new and any(_was_main(known.get(item.path)) for item in unit.companions)
    collector = Collector(by, by, place.host, now, source_project=project)
    _read(units, place, collector, report)
    is_late = str(place.file) not in known and not (report.created or report.updated)
    if is_late and any(place.file in item.source.companions for item in found):
        # A small file that came after its session, and of which no new line makes the reader tell.
        _read(changed_units(found, known, report, full=True), place, collector, report)
    return report


def _read(units: list[Unit], place: Place, by: Collector, report: Report) -> None:
    _load_states(units, place, by.user)
    if any(unit.replace for unit in units):
        with write_transaction():  # a conversation is replaced as a whole or not at all
            _store(units, place, by, report)
    else:
        _store(units, place, by, report)


def _sources(agent: Agent, place: Place) -> list[SourceFile]:
    """The units that the file belongs to: found where it lies, else in the folders above."""
    for start in (place.file, *place.file.parents[:MOST_ABOVE]):
        if not start.is_relative_to(place.root) or start == place.root:
            break
        mine = [
            source
            for source in agent.session_files(start)
            if place.file in (source.path, *source.companions)
        ]
        if mine:
            return mine
    return []


def _known(found: Iterable[Found], place: Place, by: User) -> dict[str, Known]:
    """What the store knows of these files, under their paths in the spool."""
    paths = [
        place.there(str(path))
        for item in found
        for path in (item.source.path, *item.source.companions)
    ]
    known = known_files(by, place.host, paths)
    return {str(place.here(path)): item for path, item in known.items()}


def _was_main(known: Known | None) -> bool:
    return known is not None and known.offset > 0


def _load_states(units: list[Unit], place: Place, by: User) -> None:
    going = {place.there(unit.main.path): unit for unit in units if unit.position is not None}
    rows = RawFile.objects.filter(collector=by, host=place.host, path__in=going)
    for path, state in rows.values_list("path", "reader_state"):
        position = going[path].position
        if position is not None:
            position.state = bytes(state)


def _store(units: list[Unit], place: Place, by: Collector, report: Report) -> None:
    for batch in batches(units, by.now):
        for part in batch.parts:
            _rename(part, place)
        report.add_parts(batch.parts)
        done = store(batch.parts, by)
        report.created |= done.created
        report.updated |= done.updated - report.created
        report.messages += done.messages


def _rename(part: FilePart, place: Place) -> None:
    """Every path as it is over there: nobody needs to know of the spool."""
    for state in part.files:
        state.path, state.main_path = place.there(state.path), place.there(state.main_path)
    for piece in part.pieces:
        piece.path = place.there(piece.path)
    for item in part.sessions:
        for problem in item.record.problems:
            problem.path = place.there(problem.path)
            problem.reason = problem.reason.replace(str(place.root), "")
