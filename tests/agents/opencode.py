"""OpenCode's databases and trees, made by hand for tests."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from sessions_app.agents.base import SourceFile
from sessions_app.agents.opencode import OpenCode
from sessions_app.records import Position, SessionRecord
from tests.agents.fold import fold

NOW = 1_770_000_000_000  # epoch ms of the first row
SCHEMA = """
CREATE TABLE session (id TEXT PRIMARY KEY, project_id TEXT, parent_id TEXT, directory TEXT,
  title TEXT, version TEXT, agent TEXT, time_created INTEGER, time_updated INTEGER,
  time_archived INTEGER);
CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER,
  time_updated INTEGER, data TEXT);
CREATE TABLE part (id TEXT PRIMARY KEY, message_id TEXT, session_id TEXT, time_created INTEGER,
  time_updated INTEGER, data TEXT);
CREATE TABLE todo (session_id TEXT, content TEXT, status TEXT, priority TEXT, position INTEGER,
  time_created INTEGER, time_updated INTEGER);
CREATE TABLE account (id TEXT, access_token TEXT);
INSERT INTO account VALUES ('a', 'sk-secret');
"""
Json = dict[str, Any]


class Store:
    """A database that is being written, like OpenCode's; its log stays as long as it is open."""

    def __init__(self, folder: Path, name: str = "opencode.db") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / name
        self.clock = NOW
        self.database = sqlite3.connect(self.path, isolation_level=None)
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("PRAGMA wal_autocheckpoint = 0")
        self.database.executescript(SCHEMA)

    def tick(self) -> int:
        self.clock += 1000
        return self.clock

    def session(self, own_id: str = "ses_1", **more: Any) -> str:
        row = {
            "id": own_id, "directory": "/home/dev/shop", "title": "Carts", "version": "1.18.33",
            "agent": "build", "time_created": self.tick(), "time_updated": self.clock, **more,
        }  # fmt: skip
        self._insert("session", row)
        return own_id

    def message(self, own_id: str, role: str, *parts: Json, to: str = "ses_1", **data: Any) -> str:
        """A message with its parts; what is None in `data` is left out."""
        at = self.tick()
        data = {"role": role, "time": {"created": at}, **data}
        row = {"id": own_id, "session_id": to, "time_created": data["time"]["created"]}
        self._insert("message", {**row, "time_updated": at, "data": json.dumps(data)})
        for index, part in enumerate(parts):
            self.part(f"prt_{own_id}_{index}", own_id, part, to=to)
        return own_id

    def prompt(self, own_id: str, words: str, to: str = "ses_1") -> str:
        return self.message(own_id, "user", text(words), to=to)

    def answer(self, own_id: str, *parts: Json, to: str = "ses_1", **data: Any) -> str:
        """A finished response of 10 tokens."""
        return self.message(own_id, "assistant", *parts, to=to, **{**self.finished(), **data})

    def finished(self) -> Json:
        at = self.clock + 1000
        return {
            "time": {"created": at, "completed": at + 500}, "modelID": "m-1", "providerID": "p",
            "finish": "stop", "cost": 0.25,
            "tokens": {"input": 4, "output": 3, "reasoning": 1, "cache": {"read": 2, "write": 0}},
        }  # fmt: skip

    def part(self, own_id: str, message: str, part: Json, to: str = "ses_1") -> None:
        row = {"id": own_id, "message_id": message, "session_id": to, "time_created": self.clock}
        self._insert("part", {**row, "time_updated": self.clock, "data": json.dumps(part)})

    def change(self, table: str, own_id: str, data: Json | str) -> None:
        """Write a row anew, as OpenCode does when a message or part goes on."""
        words = data if isinstance(data, str) else json.dumps(data)
        self.database.execute(
            f"UPDATE {table} SET data = ?, time_updated = ? WHERE id = ?",
            (words, self.tick(), own_id),
        )

    def copy(self, old: str, new: str, upto: int = 1000) -> str:
        """Fork a session the way OpenCode does: new ids, and all else the same."""
        self.session(new, title="Carts (fork #1)")
        query = f"SELECT id, data FROM message WHERE session_id = ? {ORDER} LIMIT ?"
        for number, (message, data) in enumerate(self.database.execute(query, (old, upto))):
            own_id, at = f"msg_{new}_{number}", self.tick()
            created = json.loads(data)["time"]["created"]
            self.database.execute(
                "INSERT INTO message VALUES (?, ?, ?, ?, ?)", (own_id, new, created, at, data)
            )
            parts = self.database.execute(
                "SELECT id, data FROM part WHERE message_id = ?", [message]
            )
            for part, words in parts.fetchall():
                self.database.execute(
                    "INSERT INTO part VALUES (?, ?, ?, ?, ?, ?)",
                    (f"{part}_{new}", own_id, new, at, at, words),
                )
        return new

    def end(self) -> Path:
        """OpenCode ends: the log is folded into the database."""
        self.database.close()
        return self.path

    def _insert(self, table: str, row: Json) -> None:
        marks = ", ".join("?" * len(row))
        self.database.execute(
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values())
        )


ORDER = "ORDER BY time_created, id"


def text(words: str, **more: Any) -> Json:
    return {"type": "text", "text": words, **more}


def tool(status: str = "completed", name: str = "bash", **state: Any) -> Json:
    if status == "completed":
        state.setdefault("output", "done")
    state = {"status": status, "input": {"command": "ls"}, **state}
    return {"type": "tool", "tool": name, "callID": "call_0", "state": state}


def source(path: Path) -> SourceFile:
    """The unit that the agent makes of this file."""
    [found] = OpenCode().session_files(path)
    return found


def read(path: Path, after: Position | None = None) -> tuple[list[SessionRecord], Position]:
    """The parts, and where the next reading starts."""
    found = source(path)
    return list(OpenCode().read(found, after)), found.end


def sessions(path: Path) -> dict[str, SessionRecord]:
    return fold(read(path)[0])


def session(path: Path) -> SessionRecord:
    [record] = sessions(path).values()
    return record


def files_of(folder: Path) -> dict[str, bytes]:
    """Name and bytes of everything below a folder, but for the memory that readers share."""
    return {
        str(path.relative_to(folder)): b"" if path.name.endswith("-shm") else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def tree(storage: Path, own_id: str = "ses_1", **more: Any) -> Path:
    """The file of a session in the older layout."""
    path = storage / "session" / "proj" / f"{own_id}.json"
    document = {
        "id": own_id, "version": "0.9", "projectID": "proj", "directory": "/home/dev/shop",
        "title": "Carts", "time": {"created": NOW, "updated": NOW + 1}, **more,
    }  # fmt: skip
    return write(path, document)


def tree_message(storage: Path, own_id: str, data: Json, *parts: Json, to: str = "ses_1") -> Path:
    """A message of the older layout with its parts."""
    for index, part in enumerate(parts):
        write(storage / "part" / own_id / f"prt_{own_id}_{index}.json", part)
    return write(storage / "message" / to / f"{own_id}.json", {"id": own_id, **data})


def write(path: Path, value: Json) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), "utf-8")
    return path
