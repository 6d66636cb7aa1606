"""The rows of one session in OpenCode's database: what is new of them is told and kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from sessions_app.agents.base import PART_SIZE, SourceFile
from sessions_app.agents.opencode.content import Part
from sessions_app.agents.opencode.database import Database, Values, text
from sessions_app.agents.opencode.records import Facts, Row, Telling, facts_from
from sessions_app.records import TURN_OPEN, RelationRecord, SessionRecord

IN_ORDER = "ORDER BY time_created, id"  # as OpenCode itself shows them
NEWER = {
    "message": "SELECT id AS message FROM message WHERE session_id = ? AND time_updated",
    "part": "SELECT message_id AS message FROM part WHERE session_id = ? AND time_updated",
}
CALLS = "SELECT id, data FROM part WHERE session_id = ? AND instr(data, ?) > 0 ORDER BY id"


class Seen(msgspec.Struct, array_like=True):
    """What was read of one session."""

    stamp: bytes = b""  # its own row, and how many rows belonged to it
    mark: int = -1  # when the newest of those was written
    size: int = 0  # bytes that are kept of it
    rows: int = 0
    first: bytes = b""  # its first response: a fork begins with the same
    has_parted: bool = False  # it is a fork, and has gone on in its own way
    waiting: str = ""  # its last message, while the turn is open
    is_open: bool = True  # rows may change though none is added


class Kept:
    """The rows of a session as lines of JSON, under a name that no file has.

    A row that changes is kept again behind the others, so that nothing is ever lost.
    """

    def __init__(self, source: SourceFile, path: Path, seen: Seen) -> None:
        self.source = source
        self.path = path
        self.seen = seen
        self.lines: list[bytes] = []

    def add(self, table: str, values: Values) -> int:
        """Keep a row; answers its line number."""
        row = {name: _plain(value) for name, value in values.items()}
        self.lines.append(msgspec.json.encode({"table": table, **row}))
        self.seen.rows += 1
        return self.seen.rows

    def flush(self) -> None:
        """Hand over what was added."""
        data = b"".join(line + b"\n" for line in self.lines)
        if data and self.source.keep is not None:
            self.source.keep(self.path, self.seen.size, data)
        self.seen.size += len(data)
        self.lines.clear()


def _plain(value: object) -> object:
    return text(value) if isinstance(value, bytes) else value


class SessionRows:
    """One session: `values` is its own row, `seen` what an earlier reading knew of it."""

    def __init__(self, database: Database, values: Values, seen: Seen, kept: Kept) -> None:
        self.database = database
        self.values = values
        self.seen = seen
        self.kept = kept
        self.facts = facts_of(values)
        self.telling = Telling(self.facts, kept.path)
        self.links: list[RelationRecord] = []

    def records(self, *, is_changed: bool) -> Iterator[SessionRecord]:
        """What is new, in parts; `seen` learns of it. Nothing when nothing is new."""
        is_new = self.seen.mark < 0
        new = None if is_new else self._newer(is_changed=is_changed)
        if new is not None and not new and not is_changed:
            return
        if is_changed:
            self.kept.add("session", self.values)
            self._todos()
        ids = [text(row["id"]) for row in self._messages()]
        mark, self.seen.mark = self.seen.mark, max(self.seen.mark, 0)
        for own_id in ids:
            if new is None or own_id in new:
                self._tell(own_id, mark, is_last=own_id == ids[-1])
                if self.telling.size >= PART_SIZE and own_id != ids[-1]:
                    self.kept.flush()
                    yield self.telling.part()
        if ids and (new is None or ids[-1] in new):
            self.seen.is_open = self.telling.turn == TURN_OPEN
            self.seen.waiting = ids[-1] if self.seen.is_open else ""
        if is_new and self.facts.parent:
            self.links.append(self._called_by())
        self.telling.record.relations += self.links
        self.kept.flush()
        yield self.telling.part()

    def _messages(self) -> Iterator[Values]:
        query = f"SELECT id FROM message WHERE session_id = ? {IN_ORDER}"
        return self.database.rows(query, self.facts.own_id)

    def _newer(self, *, is_changed: bool) -> set[str]:
        """Messages of which a row was written since; at the same instant counts when in doubt."""
        compare = ">=" if is_changed else ">"
        found = {
            text(row["message"])
            for query in NEWER.values()
            for row in self.database.rows(f"{query} {compare} ?", self.facts.own_id, self.seen.mark)
        }
        if found and self.seen.waiting:
            found.add(self.seen.waiting)  # if it is no longer the last one, it is over
        return found

    def _tell(self, own_id: str, mark: int, *, is_last: bool) -> None:
        found = self.database.rows("SELECT * FROM message WHERE id = ?", own_id)
        message = [self._row("message", values, mark) for values in found]
        query = "SELECT * FROM part WHERE message_id = ? ORDER BY id"
        parts = [self._row("part", values, mark) for values in self.database.rows(query, own_id)]
        self.telling.take(message[0], parts, is_last=is_last)

    def _row(self, table: str, values: Values, mark: int) -> Row:
        """The row for telling; it is kept unless an earlier reading did."""
        updated = values["time_updated"]
        when = updated if isinstance(updated, int) else 0
        number = self.kept.add(table, values) if when >= mark else 0
        self.seen.mark = max(self.seen.mark, when)
        data = values["data"]
        return Row(
            text(values["id"]),
            data if isinstance(data, bytes) else b"",
            number,
            str(self.kept.path),
        )

    def _todos(self) -> None:
        if not self.database.columns["todo"] >= {"session_id", "position", "content", "status"}:
            return
        query = "SELECT * FROM todo WHERE session_id = ? ORDER BY position"
        found = list(self.database.rows(query, self.facts.own_id))
        for values in found:
            self.kept.add("todo", values)
        if found:
            self.telling.record.metadata["todos"] = [
                {name: text(values[name]) for name in ("content", "status")} for values in found
            ]

    def _called_by(self) -> RelationRecord:
        """The sub-agent's parent, and the call there that made it."""
        relation = RelationRecord("subagent", self.facts.parent)
        for row in self.database.rows(CALLS, self.facts.parent, self.facts.own_id):
            try:
                state = msgspec.json.decode(row["data"], type=Part).state
            except (msgspec.MsgspecError, RecursionError, ValueError):
                continue
            if state and state.metadata and state.metadata.session_id == self.facts.own_id:
                relation.call_id = text(row["id"])
                break
        return relation


def facts_of(values: Values) -> Facts:
    """The facts in a row of the table of sessions."""
    times = {name: values.get(f"time_{name}") for name in ("created", "updated", "archived")}
    return facts_from({name: _plain(value) for name, value in values.items()}, times)
