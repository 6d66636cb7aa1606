"""One changed file -> prepared parts with the bytes that they came from. No Django here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from sessions_app import packing
from sessions_app.actions.prepare import prepare
from sessions_app.actions.prepared import FilePart, FileState, RawPiece
from sessions_app.agents import AGENTS
from sessions_app.agents.base import Agent, SourceFile, UnreadableSession
from sessions_app.records import Position, SessionRecord

PIECE = 1024 * 1024
HEAD, TAIL = 4096, 1024


class Stat(msgspec.Struct, array_like=True):
    """A file as it was when the change was found."""

    path: str
    size: int
    mtime_ns: int


class Unit(msgspec.Struct, array_like=True):
    """One thing to read, and from where on.

    `rewritten`: the bytes before the position are not those that were read. `replace`: what
    is stored of its conversation gives way to this reading.
    """

    agent: str
    root: str
    main: Stat
    companions: list[Stat]
    position: Position | None = None
    rewritten: bool = False
    replace: bool = False

    @property
    def todo(self) -> int:
        """Bytes that are left to read."""
        return max(self.main.size - (self.position.offset if self.position else 0), 0)


class RawKeeper:
    """Takes the bytes that a reader reads and cuts them into compressed pieces."""

    def __init__(self, main: Path) -> None:
        self.main = main
        self.start = 0
        self.pending = bytearray()
        self.pieces: list[RawPiece] = []

    def __call__(self, path: Path, offset: int, data: bytes) -> None:
        """See agents.base.Keeper."""
        if path != self.main:
            self.pieces += _cut(str(path), offset, data)
            return
        if not self.pending or offset != self.start + len(self.pending):
            self.start, self.pending = offset, bytearray()
        self.pending += data

    def take(self, upto: int, *, last: bool) -> list[RawPiece]:
        """Pieces of everything before `upto`, and at the end what waits behind it, apart."""
        size = max(upto - self.start, 0)
        taken, self.pieces = self.pieces, []
        taken += _cut(str(self.main), self.start, bytes(self.pending[:size]))
        self.start += min(size, len(self.pending))
        del self.pending[:size]
        if last:
            taken += _cut(str(self.main), self.start, bytes(self.pending))
            self.pending = bytearray()
        return taken


def _cut(path: str, offset: int, data: bytes) -> list[RawPiece]:
    return [
        RawPiece(path, offset + at, len(piece), hashlib.sha256(piece).digest(), packing.pack(piece))
        for at in range(0, len(data), PIECE)
        if (piece := data[at : at + PIECE])
    ]


def agent_named(name: str) -> Agent:
    """The agent with this source name."""
    return next(agent for agent in AGENTS if agent.name == name)


def read_unit(unit: Unit, now: datetime) -> Iterator[FilePart]:
    """The parts of one unit, the last one marked. A file that cannot be read is one part."""
    agent = agent_named(unit.agent)
    main = Path(unit.main.path)
    keeper = RawKeeper(main)
    source = SourceFile(
        main,
        root=Path(unit.root),
        companions=tuple(Path(item.path) for item in unit.companions),
        keep=keeper,
    )
    held: tuple[SessionRecord, FileState, list[RawPiece]] | None = None
    first = True
    try:
        for record in agent.read(source, unit.position):
            unit.replace |= source.replaces
            if held is not None:
                yield _part(unit, held, now, first=first, last=False)
                first = False
            held = (record, _state(unit, agent, source), keeper.take(source.end.offset, last=False))
    except UnreadableSession as error:
        if held is not None:
            yield _part(unit, held, now, first=first, last=False)
        yield failed_part(unit, str(error))
        return
    rest = keeper.take(source.end.offset, last=True)
    if held is None:
        yield FilePart(
            unit.agent, _states(unit, _state(unit, agent, source)), rest, [],
            size=unit.todo, rewritten=unit.rewritten,
        )  # fmt: skip
        return
    held = (held[0], _state(unit, agent, source), held[2] + rest)
    yield _part(unit, held, now, first=first, last=True)


def failed_part(unit: Unit, reason: str) -> FilePart:
    """Says that a file could not be read; it is tried again when it or its reader changes."""
    version = agent_named(unit.agent).version
    state = FileState(
        unit.main.path, "", unit.main.size, unit.main.mtime_ns, reader_version=version, failed=True
    )
    return FilePart(unit.agent, [state], [], [], failure=reason[:300] or "unreadable")


def _part(
    unit: Unit,
    held: tuple[SessionRecord, FileState, list[RawPiece]],
    now: datetime,
    *,
    first: bool,
    last: bool,
) -> FilePart:
    record, state, pieces = held
    if not last:
        # A run that is cut off here must find the file changed.
        state.size, state.mtime_ns = state.offset, 0
    if record.last_active is None and record.messages:
        record.last_active = datetime.fromtimestamp(unit.main.mtime_ns / 1e9, tz=now.tzinfo)
    return FilePart(
        unit.agent,
        _states(unit, state) if last else [state],
        pieces,
        # What only joins holds no conversation, so that it can replace none.
        [prepare(record, now=now, replace=unit.replace and first and not record.joins)],
        size=sum(piece.size for piece in pieces if piece.path == unit.main.path),
        rewritten=unit.rewritten and first,
        is_last=last,
    )


def _states(unit: Unit, main: FileState) -> list[FileState]:
    return [
        main,
        *(
            FileState(item.path, unit.main.path, item.size, item.mtime_ns)
            for item in unit.companions
        ),
    ]


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
