"""Makes a small sample out of a real database: `extract.py opencode.db sample.db`.

Only the tables that are read, and those of the accounts without a row, to show that they are
there; not the log of events, which holds everything a second time. Put the `-wal` beside the
database first: the newest rows are only there.
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

READ = ("session", "message", "part", "todo")
EMPTY = ("account", "account_state", "control_account", "credential")


def extract(source: Path, target: Path) -> None:
    """Copy the rows of `source` into the new database `target`."""
    database = sqlite3.connect(target, isolation_level=None)
    database.execute("ATTACH ? AS old", [str(source)])
    schema = database.execute(
        "SELECT sql, tbl_name FROM old.sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC"
    )
    for sql, table in schema.fetchall():
        if table in READ + EMPTY:
            database.execute(sql)
    database.execute("BEGIN")
    for table in READ:
        database.execute(f"INSERT INTO main.{table} SELECT * FROM old.{table}")
    database.execute("COMMIT")
    database.execute("DETACH old")
    database.execute("VACUUM")
    database.execute("PRAGMA journal_mode = WAL")
    database.close()


if __name__ == "__main__":
    extract(Path(sys.argv[1]), Path(sys.argv[2]))
