"""What of it has changed since the last time, and from where on it is to be read."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sessions_app import border
from sessions_app.ingest.discover import Found, printable, stat_of
from sessions_app.ingest.reading import Stat, Unit, hashes
from sessions_app.ingest.report import Report
from sessions_app.models import RawFile, User
from sessions_app.records import Position, Problem


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of a file."""

    session: int | None
    source: str
    size: int
    mtime_ns: int
    offset: int
    line: int
    reader_version: int
    head_hash: str
    tail_hash: str
    failed: bool
    read_at: datetime
    main_path: str  # of a companion: its main file


def known_files(
    collector: User, host: str, paths: Collection[str] | None = None
) -> dict[str, Known]:
    """Everything (or these files) that this collector has read on this host: one query."""
    files = RawFile.objects.filter(collector=collector, host=host)
    if paths is not None:
        files = files.filter(path__in=paths)
    rows = files.values_list(
        "path", "session", "source", "size", "mtime_ns", "offset", "line", "reader_version",
        "head_hash", "tail_hash", "failed", "last_read_at", "main_path",
    )  # fmt: skip
    return {row[0]: Known(*row[1:]) for row in rows.iterator(chunk_size=5000)}


def changed_units(
    found: Iterable[Found], known: dict[str, Known], report: Report, *, full: bool = False
) -> list[Unit]:
    """The units to read, oldest first; what only names sessions comes after those."""
    every = report.found = list(found)
    units: dict[int, Unit] = {}
    for index, item in enumerate(every):
        report.seen += 1
        try:
            unit = changed_unit(item, known, full=full)
        except OSError as error:
            _report(report, item, error)
            continue
        if unit is not None:
            units[index] = unit
    _add_siblings(every, units, known)
    _read_names_again(every, units, known)
    report.unchanged = report.seen - report.failed - len(units)
    order = sorted(units, key=lambda index: (every[index].source.side, units[index].main.mtime_ns))
    return [units[index] for index in order]


def _report(report: Report, item: Found, error: OSError) -> None:
    report.failed += 1
    report.problem_count += 1
    path = printable(item.source.path)
    report.problems.append(Problem(path, error.strerror or str(error)))


def changed_unit(found: Found, known: dict[str, Known], *, full: bool = False) -> Unit | None:
    """The unit to read, or None when nothing has changed. Raises OSError for a vanished file."""
    main = stat_of(found.source.path)
    unit = Unit(found.agent.name, str(found.source.root), main, [])
    unit.failure = _unstorable(found.source.path)
    if unit.failure:
        unit.root, main.path = "", border.clean_name(printable(found.source.path), border.MAX_PATH)
    else:
        companions = (path for path in found.source.companions if not _unstorable(path))
        unit.companions = [stat_of(path) for path in companions]
    old = known.get(main.path)
    if old is None:
        return unit
    same = all(_is_same(item, known.get(item.path)) for item in unit.companions)
    # Without a time: a disk that failed, which is tried again and again.
    unit.is_same = same and (_is_same(main, old) or (main.size == old.size and not old.mtime_ns))
    if main.size == 0 and old.size > 0:
        return None  # emptied by its agent: what we have stays
    if old.main_path:
        return _left_alone(unit, old)
    if full or old.reader_version != found.agent.version:
        return _anew(unit, old)
    if same and _is_same(main, old) and not (old.failed and _was_touched(main, old)):
        return None
    if old.line and not old.offset:  # not read by bytes: the reader's memory tells what is new
        unit.position = Position(0, old.line, old.reader_version)
        unit.rewritten = main.size < old.size
        return unit
    if old.offset and _goes_on(unit, old):
        unit.position = Position(old.offset, old.line, old.reader_version)
        return unit
    return _anew(unit, old)


def _left_alone(unit: Unit, old: Known) -> Unit | None:
    """What is left of a session whose main file is gone: it tells less, and so replaces nothing."""
    if _is_same(unit.main, old):
        return None
    unit.rewritten = True  # its older bytes stay
    return unit


def _unstorable(path: Path) -> str:
    """Why the tables cannot hold this path, as a sentence."""
    try:
        name = str(path).encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8: rename it"
    if len(name) > border.MAX_PATH:
        return f"its path is longer than {border.MAX_PATH} bytes"
    return ""


def _anew(unit: Unit, old: Known) -> Unit:
    """Read from the start, in the place of what is stored.

    The older bytes stay when the new ones are not just their continuation; what is always read
    as a whole replaces them, unless it has become shorter.
    """
    unit.replace = True
    unit.rewritten = not _goes_on(unit, old) if old.offset else unit.main.size < old.size
    return unit


def _goes_on(unit: Unit, old: Known) -> bool:
    """Whether the bytes before the old position are the same."""
    if unit.failure or unit.main.size < old.offset:
        return False
    try:
        return hashes(unit.main.path, old.offset) == (old.head_hash, old.tail_hash)
    except OSError as error:
        unit.failure = error.strerror or str(error)
        return True


def _is_same(item: Stat, old: Known | None) -> bool:
    return old is not None and (item.size, item.mtime_ns) == (old.size, old.mtime_ns)


def _was_touched(main: Stat, old: Known) -> bool:
    """Whether somebody has changed its mode or owner since it could not be read."""
    return main.ctime_ns > old.read_at.timestamp() * 1e9


def _add_siblings(every: list[Found], units: dict[int, Unit], known: dict[str, Known]) -> None:
    """A session that several files tell is replaced from all of them."""
    replaced = {
        (old.source, old.session)
        for unit in units.values()
        if unit.replace and (old := known.get(unit.main.path)) and old.session is not None
    }
    for index, item in enumerate(every) if replaced else ():
        old = known.get(str(item.source.path))
        if old is None or (old.source, old.session) not in replaced:
            continue
        unit = units.get(index)
        if unit is None:
            _read_anew(index, item, units, known)
        else:
            unit.position, unit.replace = None, True


def _read_names_again(every: list[Found], units: dict[int, Unit], known: dict[str, Known]) -> None:
    """Files that only name sessions tell new sessions, too, what they said before."""
    new = {unit.agent for unit in units.values() if unit.main.path not in known}
    for index, item in enumerate(every):
        if item.source.side and item.agent.name in new and str(item.source.path) in known:
            _read_anew(index, item, units, known)


def _read_anew(index: int, item: Found, units: dict[int, Unit], known: dict[str, Known]) -> None:
    with contextlib.suppress(OSError):  # gone since it was listed
        unit = changed_unit(item, known, full=True)
        if unit is not None:
            units[index] = unit


def load_states(units: list[Unit], collector: User, host: str) -> None:
    """Give the units that go on the memory of their reader."""
    going = {unit.main.path: unit for unit in units if unit.position is not None}
    paths = list(going)
    for start in range(0, len(paths), 500):
        rows = RawFile.objects.filter(
            collector=collector, host=host, path__in=paths[start : start + 500]
        ).values_list("path", "reader_state")
        for path, state in rows:
            position = going[path].position
            if position is not None:
                position.state = bytes(state)
