"""A reading of OpenCode's database: which sessions have changed, and which of them are forks."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sessions_app.agents.base import PART_SIZE, SourceFile
from sessions_app.agents.opencode.content import Message
from sessions_app.agents.opencode.database import Database, Values, opened, text
from sessions_app.agents.opencode.records import NAME
from sessions_app.agents.opencode.rows import IN_ORDER, Kept, Seen, SessionRows
from sessions_app.agents.opencode.usage import fingerprint
from sessions_app.records import Position, Problem, RelationRecord, SessionRecord

SESSIONS = f"""
SELECT session.*,
  (SELECT count(*) FROM message WHERE message.session_id = session.id) AS counted_messages,
  (SELECT count(*) FROM part WHERE part.session_id = session.id) AS counted_parts
FROM session {IN_ORDER}
"""
MESSAGES = f"SELECT id, data FROM message WHERE session_id = ? {IN_ORDER}"
OWN_ID = re.compile(r"\w[\w.-]{0,99}", re.ASCII)

Memory = dict[str, Seen]


def read_database(
    source: SourceFile, after: Position | None, version: int
) -> Iterator[SessionRecord]:
    """New and changed sessions. What was told is noted now and then, and at the end."""
    memory = msgspec.msgpack.decode(after.state, type=Memory) if after else {}
    source.end = after or Position(version=version)
    with opened(source.path) as database:
        reading = Reading(database, source, memory)
        for record in reading.records():
            if reading.told >= PART_SIZE:
                _note(source, memory, version)
                reading.told = 0
            yield record
    _note(source, memory, version)


def _note(source: SourceFile, memory: Memory, version: int) -> None:
    source.end = Position(0, len(memory), version, msgspec.msgpack.encode(memory))


def kept_as(path: Path, session: str) -> Path:
    """The name under which a session's own rows are kept."""
    return path.with_name(f"{path.name}#{session}")


class Reading:
    """One reading of a database; `memory` is what earlier ones know of its sessions."""

    def __init__(self, database: Database, source: SourceFile, memory: Memory) -> None:
        self.database = database
        self.source = source
        self.memory = memory
        self.ages: dict[str, int] = {}
        self.families: dict[bytes, set[str]] = defaultdict(set)  # by their first response
        for own_id, seen in memory.items():
            self.families[seen.first].add(own_id)
        self.told = 0  # bytes of rows

    def records(self) -> Iterator[SessionRecord]:
        """Older sessions first, so that a fork comes after its parent."""
        sessions = [(text(values["id"]), values) for values in self.database.rows(SESSIONS)]
        self.ages = {own_id: age for age, (own_id, _) in enumerate(sessions)}
        for own_id, values in sessions:
            if not OWN_ID.fullmatch(own_id):
                continue
            try:
                with self.database.moment():
                    yield from self._session(own_id, values)
            except sqlite3.Error as error:
                yield _broken(kept_as(self.source.path, own_id), own_id, str(error))
            if not self.database.is_still():
                return  # what was changed under us is read at the next look

    def _session(self, own_id: str, values: Values) -> Iterator[SessionRecord]:
        known = self.memory.get(own_id) or Seen()
        stamp = hashlib.blake2b(repr(values).encode(), digest_size=8).digest()
        is_changed = stamp != known.stamp
        if not is_changed and not known.is_open:
            return
        seen = msgspec.structs.replace(known, stamp=stamp)
        del values["counted_messages"], values["counted_parts"]
        kept = Kept(self.source, kept_as(self.source.path, own_id), seen)
        rows = SessionRows(self.database, values, seen, kept)
        if not seen.first or seen.is_open:
            seen.first = self._first(own_id)
            self.families[seen.first].add(own_id)
        if not rows.facts.parent and not seen.has_parted and (link := self._fork(own_id, seen)):
            rows.links.append(link)
        held = None
        for record in rows.records(is_changed=is_changed):
            if held is not None:
                yield held
            held = record
        if held is not None:  # only now all of it is told
            self.told += seen.size - known.size
            self.memory[own_id] = seen
            yield held

    def _first(self, own_id: str) -> bytes:
        """A short name of the first response; empty while there is none."""
        for _, message in self._line(own_id):
            if message is not None and message.role == "assistant":
                return bytes.fromhex(fingerprint(message))[:8]
        return b""

    def _line(self, own_id: str) -> Iterator[tuple[str, Message | None]]:
        for row in self.database.rows(MESSAGES, own_id):
            try:
                yield text(row["id"]), msgspec.json.decode(row["data"], type=Message)
            except (msgspec.MsgspecError, RecursionError, ValueError):
                yield text(row["id"]), None

    def _prints(self, own_id: str) -> list[tuple[str, str]]:
        """(id, fingerprint) of each message; one that cannot be read is like no other."""
        return [(one, fingerprint(it) if it else one) for one, it in self._line(own_id)]

    def _fork(self, own_id: str, seen: Seen) -> RelationRecord | None:
        """The session that this one was forked from: an older one that begins alike for longest.

        OpenCode writes no link. A fork's copies have ids of their own, and all else is the same.
        """
        age = self.ages[own_id]
        alike = self.families[seen.first] if seen.first else set()
        older = [other for other in alike if self.ages.get(other, age) < age]
        if not older:
            return None
        own = self._prints(own_id)
        shared = {other: _shared(own, self._prints(other)) for other in older}
        parent = max(older, key=lambda other: (shared[other], -self.ages[other]))
        if not shared[parent]:
            return None
        seen.has_parted = shared[parent] < len(own)
        return RelationRecord("fork", parent, message_key=own[shared[parent] - 1][0])


def _shared(one: list[tuple[str, str]], two: list[tuple[str, str]]) -> int:
    count = 0
    for (_, first), (_, second) in zip(one, two, strict=False):
        if first != second:
            break
        count += 1
    return count


def _broken(path: Path, own_id: str, reason: str) -> SessionRecord:
    """Says that the rows of one session cannot be read; it never makes a session."""
    problem = Problem(str(path), f"its rows: {reason}")
    return SessionRecord(NAME, NAME, own_id, joins=True, only_if_known=True, problems=[problem])
