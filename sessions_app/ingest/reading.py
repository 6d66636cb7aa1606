"""One changed file -> prepared parts with the bytes that they came from. No Django here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from sessions_app import border
from sessions_app.actions.prepare import prepare
from sessions_app.actions.prepared import FilePart, FileState, RawPiece
from sessions_app.agents import AGENTS
from sessions_app.agents.base import Agent, SourceFile, UnreadableSession
from sessions_app.agents.folders import excluding
from sessions_app.ingest.exclude import matcher
from sessions_app.ingest.keeper import RawKeeper
from sessions_app.records import Position, SessionRecord

HEAD, TAIL = 4096, 1024


class Stat(msgspec.Struct, array_like=True):
    """A file as it was when the change was found."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int = 0


class Unit(msgspec.Struct, array_like=True):
    """One thing to read, and from where on.

    `rewritten`: the bytes before the position are not those that were read. `replace`: what
    is stored of its conversation gives way to this reading. `failure`: it need not be tried.
    `is_same`: nothing in it has changed. `excluded`: patterns of what must not be opened.
    """

    agent: str
    root: str
    main: Stat
    companions: list[Stat]
    position: Position | None = None
    rewritten: bool = False
    replace: bool = False
    failure: str = ""
    is_same: bool = False
    excluded: list[str] = []

    @property
    def todo(self) -> int:
        """Bytes that are left to read, about: of a database they stand in its log."""
        if self.position is not None and not self.position.offset:
            return sum(item.size for item in self.companions)
        return max(self.main.size - (self.position.offset if self.position else 0), 0)


class Held(NamedTuple):
    """What a reader handed over, until it is known whether more follows."""

    record: SessionRecord
    state: FileState
    pieces: list[RawPiece]
    is_further: bool  # the position is another one than that of the part before


def agent_named(name: str) -> Agent:
    """The agent with this source name."""
    return next(agent for agent in AGENTS if agent.name == name)


def read_unit(unit: Unit, now: datetime) -> Iterator[FilePart]:
    """The parts of one unit, the last one marked. A file that cannot be read is one part."""
    with excluding(matcher(unit.excluded)):
        for part in _parts(unit, now):
            part.is_same = unit.is_same
            yield part


def _parts(unit: Unit, now: datetime) -> Iterator[FilePart]:
    if unit.failure:
        yield failed_part(unit, unit.failure)
        return
    agent = agent_named(unit.agent)
    main = Path(unit.main.path)
    companions = tuple(Path(item.path) for item in unit.companions)
    keeper = RawKeeper(main, companions)
    source = SourceFile(main, root=Path(unit.root), companions=companions, keep=keeper)
    held: Held | None = None
    told: set[str] = set()
    try:
        for record in agent.read(source, unit.position):
            unit.replace |= source.replaces
            if held is not None:
                yield _part(unit, held, now, told, last=False)
            state = _state(unit, agent, source)
            is_further = held is None or _place(held.state) != _place(state)
            held = Held(record, state, keeper.take(source.end.offset, last=False), is_further)
    except UnreadableSession as error:
        if held is not None:
            yield _part(unit, held, now, told, last=False)
        yield failed_part(unit, str(error))
        return
    rest = keeper.take(source.end.offset, last=True)
    state = _state(unit, agent, source)
    if held is None:
        yield FilePart(
            unit.agent, _states(unit, state, rest), rest, [], size=unit.todo,
            rewritten=unit.rewritten,
        )  # fmt: skip
        return
    held = Held(held.record, state, held.pieces + rest, True)
    yield _part(unit, held, now, told, last=True)


def _place(state: FileState) -> tuple[int, int, bytes]:
    return state.offset, state.line, state.reader_state


def failed_part(unit: Unit, reason: str) -> FilePart:
    """Says that a file could not be read; it is not tried again until it or its reader changes."""
    state = FileState(
        unit.main.path, "", unit.main.size, unit.main.mtime_ns,
        reader_version=agent_named(unit.agent).version, failed=True,
    )  # fmt: skip
    reason = border.clean_line(reason, 300) or "unreadable"
    return FilePart(unit.agent, [state, *_companions(unit)], [], [], failure=reason)


def _part(unit: Unit, held: Held, now: datetime, told: set[str], *, last: bool) -> FilePart:
    """One part of a unit that has `told` of these sessions in the parts before."""
    record, pieces = held.record, held.pieces
    first = record.identity not in told
    told.add(record.identity)
    own = _own_rows(unit, pieces)
    if last:
        states = _states(unit, held.state, pieces)
    else:
        # A run that is cut off here must find the file changed.
        held.state.size, held.state.mtime_ns = held.state.offset, 0
        states = [*own, held.state] if held.is_further or not own else own
    # Only at the start: once a session has times of its own, the file's would outlive them.
    if record.last_active is None and record.messages and first and unit.position is None:
        record.last_active = datetime.fromtimestamp(unit.main.mtime_ns / 1e9, tz=now.tzinfo)
    return FilePart(
        unit.agent,
        states,
        pieces,
        # What only joins holds no conversation, so that it can replace none.
        [prepare(record, now=now, replace=unit.replace and first and not record.joins)],
        size=sum(piece.size for piece in pieces) if own else _size(unit, pieces),
        # Rows are told from their first one on whenever there is no position.
        rewritten=first and (unit.rewritten or (bool(own) and unit.position is None)),
        is_last=last,
    )


def _size(unit: Unit, pieces: list[RawPiece]) -> int:
    return sum(piece.size for piece in pieces if piece.path == unit.main.path)


def _companions(unit: Unit) -> list[FileState]:
    return [
        FileState(item.path, unit.main.path, item.size, item.mtime_ns) for item in unit.companions
    ]


def _own_rows(unit: Unit, pieces: Sequence[RawPiece]) -> list[FileState]:
    """A session's rows of a database, which stand under a path of their own."""
    start = f"{unit.main.path}#"
    sizes = {
        piece.path: piece.offset + piece.size for piece in pieces if piece.path.startswith(start)
    }
    return [FileState(path, unit.main.path, size, 0) for path, size in sizes.items()]


def _states(unit: Unit, main: FileState, pieces: Sequence[RawPiece]) -> list[FileState]:
    return [*_own_rows(unit, pieces), main, *_companions(unit)]


def _state(unit: Unit, agent: Agent, source: SourceFile) -> FileState:
    end = source.end
    head, tail = hashes(unit.main.path, end.offset) if end.offset else ("", "")
    return FileState(
        unit.main.path, "", unit.main.size, unit.main.mtime_ns, end.offset, end.line,
        agent.version, end.state, min(end.offset, HEAD), head, tail,
    )  # fmt: skip


def hashes(path: str, offset: int) -> tuple[str, str]:
    """Hashes of the first bytes and of those before `offset`, to notice a rewritten file."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        head = os.pread(handle, min(offset, HEAD), 0)
        tail = os.pread(handle, min(offset, TAIL), max(offset - TAIL, 0))
    finally:
        os.close(handle)
    return _short_hash(head), _short_hash(tail)


def _short_hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
