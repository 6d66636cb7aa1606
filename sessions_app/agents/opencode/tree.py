"""OpenCode's older layout: a tree with a file for each session, message and part.

`session/<project>/<session>.json`, `message/<session>/<message>.json` and
`part/<message>/<part>.json` below `storage`. Ids, and so names, are in order of time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from sessions_app.agents.base import PART_SIZE, SourceFile, UnreadableSession
from sessions_app.agents.folders import Folder
from sessions_app.agents.lines import BOM, parse
from sessions_app.agents.opencode.records import Facts, Row, Telling, facts_from
from sessions_app.records import TURN_OPEN, Position, Problem, RelationRecord, SessionRecord

FOLDERS = frozenset(("session", "message"))
SNIFF_SIZE = 64 * 1024


class Memory(msgspec.Struct, array_like=True):
    """What a later reading must know."""

    seen: dict[str, tuple[int, int]] = {}  # size and time of the files that were read
    waiting: str = ""  # the last message, while the turn is open


def sessions(tree: Path, root: Path, known: frozenset[str]) -> Iterator[SourceFile]:
    """The sessions of a `storage` folder, without those that the database has."""
    for project in Folder(tree / "session").folders:
        folder = Folder(tree / "session" / project)
        for path in _documents(folder):
            if path.stem not in known and looks_right(path):
                yield source_file(path, root)


def looks_right(path: Path) -> bool:
    """Whether this is the file of a session in such a tree."""
    if path.parent.parent.name != "session":
        return False
    try:
        with path.open("rb") as file:
            head = file.read(SNIFF_SIZE)
    except OSError:
        return False
    return b'"id"' in head and b'"directory"' in head and b'"time"' in head


def source_file(path: Path, root: Path) -> SourceFile:
    """The session with its messages, each before its parts."""
    tree = path.parents[2]
    companions: list[Path] = []
    for message in _documents(Folder(tree / "message" / path.stem)):
        companions += [message, *_documents(Folder(tree / "part" / message.stem))]
    return SourceFile(path, root=root, companions=tuple(companions))


def _documents(folder: Folder) -> list[Path]:
    return [folder.path / name for name in folder.files if name.endswith(".json")]


def read_tree(source: SourceFile, after: Position | None, version: int) -> Iterator[SessionRecord]:
    """The session as it is now, and the messages of which a file has changed."""
    memory = msgspec.msgpack.decode(after.state, type=Memory) if after else Memory()
    source.end = after or Position(version=version)
    reading = _Reading(source, memory)
    for record in reading.records():
        if reading.is_done:
            source.end = Position(0, 1, version, msgspec.msgpack.encode(memory))
        yield record


class _Reading:
    """One reading of a session's files."""

    def __init__(self, source: SourceFile, memory: Memory) -> None:
        self.source = source
        self.silent = SourceFile(source.path, root=source.root)  # keeps nothing
        self.memory = memory
        self.changed = {path: stat for path in source.companions if (stat := self._news(path))}
        facts = _facts(source)
        self.telling = Telling(facts, source.path)
        if facts.parent:
            self.telling.record.relations.append(RelationRecord("subagent", facts.parent))
        self.is_done = False

    def records(self) -> Iterator[SessionRecord]:
        """In parts; `is_done` with the last one."""
        messages = self._messages()
        for index, (message, parts) in enumerate(messages):
            is_last = index == len(messages) - 1
            if message.stem == self.memory.waiting or not self.changed.keys().isdisjoint(
                (message, *parts)
            ):
                self._tell(message, parts, is_last=is_last)
            if self.telling.size >= PART_SIZE and not is_last:
                yield self.telling.part()
        if self.telling.turn:
            is_open = self.telling.turn == TURN_OPEN
            self.memory.waiting = messages[-1][0].stem if is_open else ""
        self.is_done = True
        yield self.telling.part()

    def _messages(self) -> list[tuple[Path, list[Path]]]:
        found: list[tuple[Path, list[Path]]] = []
        for path in self.source.companions:
            if path.parent.parent.name == "message":
                found.append((path, []))
            elif found:
                found[-1][1].append(path)
        return found

    def _tell(self, message: Path, parts: list[Path], *, is_last: bool) -> None:
        rows = [row for path in (message, *parts) if (row := self._row(path))]
        if rows and rows[0].own_id == message.stem:
            self.telling.take(rows[0], rows[1:], is_last=is_last)

    def _row(self, path: Path) -> Row | None:
        source = self.source if path in self.changed else self.silent
        try:
            data = source.content(path).removeprefix(BOM)
        except UnreadableSession as error:
            self.telling.record.problems.append(Problem(str(path), str(error)))
            return None
        if path in self.changed:
            self.memory.seen[self._name(path)] = self.changed[path]
        return Row(path.stem, data, 0, str(path))

    def _news(self, path: Path) -> tuple[int, int] | None:
        """Size and time of a file that is new or has changed."""
        try:
            found = os.stat(path, follow_symlinks=False)
        except OSError:
            return None  # gone since it was listed
        stat = (found.st_size, found.st_mtime_ns)
        return None if self.memory.seen.get(self._name(path)) == stat else stat

    def _name(self, path: Path) -> str:
        return f"{path.parent.name}/{path.name}"


def _facts(source: SourceFile) -> Facts:
    document = _document(source.content())
    times = document.get("time")
    facts = facts_from(document, times if isinstance(times, dict) else {})
    if facts.own_id != source.path.stem:
        raise UnreadableSession("its id is not its name")
    return facts


def _document(data: bytes) -> dict[str, Any]:
    try:
        value = parse(data.removeprefix(BOM))
    except (ValueError, RecursionError) as error:
        raise UnreadableSession(f"torn or not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UnreadableSession(f"not an object but {type(value).__name__}")
    return value
