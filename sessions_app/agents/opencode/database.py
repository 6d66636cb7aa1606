"""OpenCode's database, opened so that neither OpenCode nor its folder notices.

OpenCode writes to a log beside the database (`-wal`); the newest rows are only there. While it
runs, its `-shm` lets us read beside it. After a crash, or in a copy, the log may stand without
one: opening the database would make it anew in a folder that is not ours, so that a copy of
both is read. Without a log the database alone is whole.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import copyfile
from typing import Any
from urllib.parse import quote

from sessions_app.agents.base import UnreadableSession
from sessions_app.agents.lines import MAX_LINE

# All that is ever read. The accounts and credentials in the same file are refused by SQLite.
TABLES = frozenset(("session", "message", "part", "todo"))
FUNCTIONS = frozenset(("count", "instr"))
ROW = frozenset(("id", "session_id", "time_created", "time_updated", "data"))
NEEDED = {
    "session": frozenset(("id", "time_created")),
    "message": ROW,
    "part": ROW | {"message_id"},
}
WAL, SHM = "-wal", "-shm"
WAIT = 5.0  # seconds for a lock; readers of a log wait only while OpenCode starts or ends
COPIES = 3  # attempts to copy a database that is being written

Values = dict[str, Any]


class Database:
    """The rows of the tables that we may read. Texts come as bytes, as they are stored."""

    def __init__(self, connection: sqlite3.Connection, is_still: Callable[[], bool]) -> None:
        self.connection = connection
        self.is_still = is_still  # False: the file was changed under us, rows may be torn
        self.columns = {table: self._columns(table) for table in sorted(TABLES)}
        for table, needed in NEEDED.items():
            if not needed <= self.columns[table]:
                raise UnreadableSession(f"not OpenCode's: no table {table} as we know it")

    def rows(self, query: str, *values: object) -> Iterator[Values]:
        """The rows of a SELECT, by column name."""
        cursor = self.connection.execute(query, values)
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(names, row, strict=True))

    @contextmanager
    def moment(self) -> Iterator[None]:
        """All queries inside see the same rows; short, since the log cannot be emptied then."""
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            self.connection.execute("ROLLBACK")

    def _columns(self, table: str) -> set[str]:
        return {text(row["name"]) for row in self.rows(f"PRAGMA table_info({table})")}


def text(value: object) -> str:
    """A text value; empty for anything else."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


@contextmanager
def opened(path: Path) -> Iterator[Database]:
    """The database with its log. Raises UnreadableSession when it is none, or is damaged."""
    if not _is_filled(_beside(path, WAL)):
        with opened_alone(path) as database:
            yield database
        return
    with _told_as_unreadable(), ExitStack() as stack:
        connection = _shared(path)
        if connection is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="opencode-"))
            connection = _connect(_copied(path, Path(folder)))
        stack.callback(connection.close)
        yield Database(connection, lambda: True)


@contextmanager
def opened_alone(path: Path) -> Iterator[Database]:
    """The database without its log: no lock is taken and no file is made."""
    with _told_as_unreadable(), ExitStack() as stack:
        before = _stat(path)
        connection = _connect(path, "&immutable=1")
        stack.callback(connection.close)
        yield Database(connection, lambda: _stat(path) == before)


@contextmanager
def _told_as_unreadable() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise UnreadableSession(f"cannot read the database: {error}") from error


def _shared(path: Path) -> sqlite3.Connection | None:
    """Beside OpenCode, if that works without making files."""
    if not _is_filled(_beside(path, SHM)):
        return None
    connection = _connect(path)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:  # a folder that may not be written, for example
        connection.close()
        return None
    return connection


def _connect(path: Path, options: str = "") -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=ro{options}",
        uri=True,
        timeout=WAIT,
        isolation_level=None,
    )
    connection.text_factory = bytes
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_LINE)
    connection.set_authorizer(_allows)
    return connection


def _allows(action: int, one: str | None, two: str | None, *_: object) -> int:
    """Only plain reading of our tables: a view in a hostile file can lead nowhere else."""
    is_fine = (
        action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_TRANSACTION)
        or (action == sqlite3.SQLITE_READ and (one in TABLES or one == "sqlite_master"))
        or (action == sqlite3.SQLITE_FUNCTION and two in FUNCTIONS)
        or (action == sqlite3.SQLITE_PRAGMA and one == "table_info" and two in TABLES)
    )
    return sqlite3.SQLITE_OK if is_fine else sqlite3.SQLITE_DENY


def _copied(path: Path, folder: Path) -> Path:
    """A copy of the database with its log, both of one moment."""
    names = [path, _beside(path, WAL)]
    for _ in range(COPIES):
        before = [_stat(name) for name in names]
        for name in names:
            copyfile(name, folder / name.name, follow_symlinks=False)
        if [_stat(name) for name in names] == before:
            return folder / path.name
    raise UnreadableSession("is being written to")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _is_filled(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size > 0


def _stat(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
