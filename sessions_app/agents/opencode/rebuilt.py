"""A database made anew from the rows that were kept of its sessions."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from sessions_app.agents.opencode.database import NEEDED, TABLES

Row = dict[str, Any]


def rebuild_database(path: Path, kept: Iterable[bytes]) -> None:
    """Write the rows of these sessions, each `kept` as one session's lines of JSON."""
    tables: dict[str, list[Row]] = defaultdict(list)
    for lines in kept:
        for table, rows in _last_rows(lines).items():
            tables[table] += rows
    with closing(sqlite3.connect(path)) as database, database:
        for table in sorted(TABLES):
            _write(database, table, tables[table])


def _last_rows(lines: bytes) -> dict[str, list[Row]]:
    """Of a row that was kept again the last form; of to-dos those beside the last session row."""
    by_id: dict[str, dict[str, Row]] = defaultdict(dict)
    todos: list[Row] = []
    for line in lines.splitlines():
        row = msgspec.json.decode(line, type=Row)
        table = row.pop("table", "")
        if table == "session":
            todos = []
        if table == "todo":
            todos.append(row)
        elif table in TABLES:
            by_id[table][str(row.get("id"))] = row
    found = {table: list(rows.values()) for table, rows in by_id.items()}
    return {**found, "todo": todos}


def _write(database: sqlite3.Connection, table: str, rows: list[Row]) -> None:
    columns = dict.fromkeys(sorted(NEEDED.get(table, ())))
    columns |= {name: None for row in rows for name in row}
    if not columns:
        return
    names = [_quoted(name) for name in columns]
    database.execute(f"CREATE TABLE {table} ({', '.join(names)})")
    marks = ", ".join("?" * len(names))
    database.executemany(
        f"INSERT INTO {table} VALUES ({marks})",
        ([_plain(row.get(name)) for name in columns] for row in rows),
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _plain(value: object) -> object:
    """What a column holds; a nested value can only come from elsewhere."""
    is_plain = value is None or isinstance(value, str | int | float)
    return value if is_plain else msgspec.json.encode(value).decode()
