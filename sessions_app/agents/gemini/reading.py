"""Gemini session files -> records: the whole conversation, or what was appended to it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable

import msgspec

from sessions_app.agents.base import Line, SourceFile, UnreadableSession
from sessions_app.agents.gemini.content import says_something
from sessions_app.agents.gemini.files import parent_session
from sessions_app.agents.gemini.lines import Record
from sessions_app.agents.gemini.view import View, merged, words
from sessions_app.agents.lines import BOM, LineReader
from sessions_app.records import Position, Problem


class Memory(msgspec.Struct, omit_defaults=True):
    """What a later reading must know.

    `seen`: shown messages with what they say, both as hashes; `grows`: what is appended to the
    file comes at the end of the conversation; `companions`: the other files, as hashes.
    """

    session: str = ""
    parent: str = ""
    kind: str = "main"
    project_hash: str = ""
    work_dir: str = ""
    has_content: bool = False
    has_prompt: bool = False
    grows: bool = True
    seen: dict[int, int] = {}
    companions: dict[str, int] = {}

    @property
    def identity(self) -> str:
        """Sub-agents are named within their session."""
        return f"{self.parent}/{self.session}" if self.parent else self.session

    def is_undone_by(self, record: Record) -> bool:
        """Whether `record` changes what older lines have said, instead of adding to it."""
        if record.rewind_to is not None:
            return True
        if record.set is not None:
            return record.set.messages is not None and bool(self.seen)
        if not record.key:
            return False
        said = said_hash(record)
        return not self.grows or self.seen.get(short_hash(record.key), said) != said

    def note(self, record: Record) -> None:
        """Remember a message that is shown."""
        self.seen[short_hash(record.key)] = said_hash(record)


def said_hash(record: Record) -> int:
    """Of the words of a message; calls and results may come later."""
    thoughts = (f"{item.subject}\n{item.description}" for item in record.thoughts or ())
    return short_hash("\n\n".join([words(record), *thoughts]))


def short_hash(text: str | bytes) -> int:
    """63 bits that tell texts apart."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest()) >> 1


class Reading(msgspec.Struct):
    """What was read: the messages to tell, all that were ever written, and facts."""

    memory: Memory
    shown: dict[str, Record]
    known: list[Record]
    told: list[Record]
    problems: list[Problem]


def read_appended(source: SourceFile, after: Position) -> Reading | None:
    """Only the new lines; None where they change what was said, so that all must be read.

    What a vanished companion said is to stay, so that nothing is replaced without it.
    """
    memory = msgspec.msgpack.decode(after.state, type=Memory)
    companions = {name: short_hash(data) for name, data in _companions(source).items()}
    is_undone = not companions.items() <= memory.companions.items()
    reader, view = LineReader(source, Record), View()
    for line in source.lines(after):
        record: Record | None = reader.struct(line)
        if record is not None:
            is_undone = is_undone or memory.is_undone_by(record)
            view.take(record)
        if is_undone:
            break
    if is_undone:
        source.replaces = companions.keys() >= memory.companions.keys()
        return None
    return _reading(memory, [view], view.shown, reader.take_problems())


def read_whole(source: SourceFile) -> Reading:
    """All files of the session; each in the order of its name, the main one decides."""
    reader = LineReader(source, Record)
    views: dict[str, View] = {}
    companions = _companions(source)
    for name, data in companions.items():
        reader.path = name
        views[name] = _view(reader, _lines(name, data))
    reader.path = main = str(source.path)
    if source.path.suffix == ".jsonl":
        views[main] = _view(reader, source.lines())
    else:
        views[main] = _view(reader, _lines(main, source.content()))
        source.end = Position()  # written anew as a whole: there is nothing to go on from
    order = sorted(views)
    shown = merged([views[name] for name in order], views[main])
    is_empty = not any(map(says_something, shown.values()))
    if is_empty:  # a resume has just begun, or all was taken back: that stays until more is said
        shown = {key: record for name in order for key, record in views[name].known.items()}
    memory = Memory(
        parent=parent_session(source.path),
        grows=not is_empty and list(shown)[-1:] == list(views[main].shown)[-1:],
        companions={name: short_hash(data) for name, data in companions.items()},
    )
    return _reading(memory, [views[name] for name in order], shown, reader.take_problems())


def _reading(
    memory: Memory, views: list[View], shown: dict[str, Record], problems: list[Problem]
) -> Reading:
    known = [record for view in views for record in view.known.values()]
    for record in shown.values():
        memory.note(record)
    return Reading(
        memory, shown, known, [record for view in views for record in view.told], problems
    )


def _view(reader: LineReader, lines: Iterable[Line]) -> View:
    view = View()
    for line in lines:
        record: Record | None = reader.struct(line)
        if record is not None:
            view.take(record)
    return view


def _companions(source: SourceFile) -> dict[str, bytes]:
    """The other files of the session; one that has just vanished changes nothing."""
    found: dict[str, bytes] = {}
    for path in source.companions:
        with contextlib.suppress(UnreadableSession):
            found[str(path)] = source.content(path)
    return found


def _lines(name: str, data: bytes) -> list[Line]:
    """A document is one line; of a log the unfinished last line is left out."""
    data = data.removeprefix(BOM)
    if not name.endswith(".jsonl"):
        return [Line(data, 0, 1)]
    pieces = data.split(b"\n")[:-1]
    return [Line(piece, 0, number) for number, piece in enumerate(pieces, 1)]
