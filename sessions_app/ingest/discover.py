"""What there is to read, and what of it has changed since the last time."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sessions_app.agents import AGENTS
from sessions_app.agents.base import Agent, SourceFile
from sessions_app.ingest.reading import Stat, Unit, hashes
from sessions_app.models import RawFile, User
from sessions_app.records import Position


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of a file."""

    size: int
    mtime_ns: int
    offset: int
    line: int
    reader_version: int
    head_hash: str
    tail_hash: str
    failed: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A unit on disk with the agent that reads it."""

    agent: Agent
    source: SourceFile


def known_files(collector: User, host: str) -> dict[str, Known]:
    """Everything that this collector has read on this host: one query."""
    rows = RawFile.objects.filter(collector=collector, host=host).values_list(
        "path", "size", "mtime_ns", "offset", "line", "reader_version", "head_hash",
        "tail_hash", "failed",
    )  # fmt: skip
    return {row[0]: Known(*row[1:]) for row in rows.iterator(chunk_size=5000)}


def roots_of(agent: Agent, paths: Iterable[Path] | None, home: Path) -> list[Path]:
    """Where to look: the given paths, or this agent's known homes."""
    return list(paths) if paths is not None else agent.homes(home)


def find_units(
    paths: list[Path] | None, home: Path, sources: set[str] | None = None
) -> Iterator[Found]:
    """Every readable unit once; of two agents that would read a file the first one does."""
    seen: set[Path] = set()
    for agent in AGENTS:
        if sources is not None and agent.name not in sources:
            continue
        for root in roots_of(agent, paths, home):
            for source in agent.session_files(root):
                if source.path not in seen:
                    seen.add(source.path)
                    yield Found(agent, source)


def changed_unit(found: Found, known: dict[str, Known], *, full: bool = False) -> Unit | None:
    """The unit to read, or None when nothing has changed. Raises OSError for a vanished file."""
    main = stat_of(found.source.path)
    companions = [stat_of(path) for path in found.source.companions]
    unit = Unit(found.agent.name, str(found.source.root), main, companions)
    old = known.get(main.path)
    if old is None:
        return unit
    if full or old.reader_version != found.agent.version:
        unit.replace = True
        return unit
    if main.size == 0 and old.size > 0:
        return None  # emptied by its agent: what we have stays
    same_main = (main.size, main.mtime_ns) == (old.size, old.mtime_ns)
    if same_main and all(_is_same(item, known.get(item.path)) for item in companions):
        return None
    if old.offset and not old.failed:
        _go_on(unit, old, main)
    else:  # read as a whole, always; the bytes of a longer one stay, as an older generation
        unit.replace, unit.rewritten = True, main.size < old.size
    return unit


def _go_on(unit: Unit, old: Known, main: Stat) -> None:
    """From the old position when the bytes before it are the same, else from the start."""
    if main.size >= old.offset and hashes(main.path, old.offset) == (old.head_hash, old.tail_hash):
        unit.position = Position(old.offset, old.line, old.reader_version)
    else:
        unit.rewritten = unit.replace = True


def _is_same(item: Stat, old: Known | None) -> bool:
    return old is not None and (item.size, item.mtime_ns) == (old.size, old.mtime_ns)


def stat_of(path: Path) -> Stat:
    """Size and time of a file, not following a link. A name that is no text is an OSError, too."""
    if not is_text(path):
        raise OSError(errno.EILSEQ, "its name is not UTF-8: rename it")
    found = os.stat(path, follow_symlinks=False)
    return Stat(str(path), found.st_size, found.st_mtime_ns)


def is_text(path: Path) -> bool:
    """Whether the path can be stored: file names are bytes, which need not be any text."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


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
