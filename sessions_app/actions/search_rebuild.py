"""Makes the search index anew while people go on working, and proves that it equals the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection

from sessions_app import words
from sessions_app.actions import search_tables as tables
from sessions_app.actions.bulk import in_groups
from sessions_app.actions.search_index import COLUMNS, fact_rows, stored_rows
from sessions_app.actions.search_tables import CALLS, FACTS, INDEXES, MESSAGES, Row
from sessions_app.actions.transaction import write_transaction
from sessions_app.models import AgentSession

Progress = Callable[[int, int], None]  # rows done, rows in all
NAMES = {MESSAGES: "messages", CALLS: "tool calls", FACTS: "sessions"}


def rebuild_search(progress: Progress | None = None) -> int:
    """Index every row anew; answers how many. What is not done yet is found a little later."""
    with write_transaction(), connection.cursor() as cursor:
        for kind in NAMES:
            _start(kind)
        cursor.execute("UPDATE search_state SET version = %s", [words.VERSION])
    total = sum(int(model.objects.count()) for model in _models())
    while waiting := rows_waiting():
        if progress is not None:
            progress(max(total - waiting, 0), total)
        with write_transaction():
            pass  # whose end tells the index as much as one transaction may hold
    if progress is not None:
        progress(total, total)
    return total


def _models() -> list[type[Any]]:
    return [COLUMNS[MESSAGES][0], COLUMNS[CALLS][0], AgentSession]


def _start(kind: int) -> None:
    """SQLite begins with nothing; PostgreSQL replaces row by row."""
    table = _models()[kind]._meta.db_table
    with connection.cursor() as cursor:
        if not tables.is_sqlite():
            cursor.execute(
                f"DELETE FROM {INDEXES[kind]} WHERE row_id NOT IN (SELECT id FROM {table})"
            )
        else:
            tables.clear(kind)
            cursor.execute("DELETE FROM search_pending WHERE kind = %s", [kind])
            cursor.execute("UPDATE search_state SET upto = 0 WHERE kind = %s", [kind])
            if kind != FACTS:
                return
            cursor.execute("DELETE FROM search_facts")
        names = "kind, row_id, had" if tables.is_sqlite() else "kind, row_id"
        values = f"{kind}, id, 0" if tables.is_sqlite() else f"{kind}, id"
        conflict = "" if tables.is_sqlite() else " ON CONFLICT DO NOTHING"
        cursor.execute(
            f"INSERT INTO search_pending ({names}) SELECT {values} FROM {table}{conflict}"
        )


def rows_waiting() -> int:
    """How many rows the index has not been told of."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM search_pending")
        count = int(cursor.fetchone()[0])
        if tables.is_sqlite():
            for kind in (MESSAGES, CALLS):
                table = _models()[kind]._meta.db_table
                known = f"(SELECT upto FROM search_state WHERE kind = {kind})"
                cursor.execute(f"SELECT count(*) FROM {table} WHERE id > {known}")
                count += cursor.fetchone()[0]
    return count


def is_outdated() -> bool:
    """Whether the index was made by another way to read words."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(version) FROM search_state")
        return bool(cursor.fetchone()[0] != words.VERSION)


def differences() -> list[str]:
    """Where index and rows differ, in words; nothing when they are equal."""
    found = [] if not rows_waiting() else ["there are rows that the index was not told of"]
    for kind, name in NAMES.items():
        compare = _differs_in_sqlite if tables.is_sqlite() else _differs_in_postgres
        if compare(kind):
            found.append(f"the index of {name} is not what the rows say")
    return found


def _every_row(kind: int) -> Iterator[list[Row]]:
    if kind != FACTS:
        yield from stored_rows(kind, after=0)
        return
    for group in in_groups(AgentSession.objects.order_by("pk").values_list("pk", flat=True)):
        yield list(fact_rows(group))


def _differs_in_sqlite(kind: int) -> bool:
    """Against a second index of the same rows: every token, how often, in how many of them."""
    index = INDEXES[kind]
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE VIRTUAL TABLE temp.search_again USING fts5(body, parts, content='',"
            " columnsize=0, tokenize='unicode61 remove_diacritics 0')"
        )
        cursor.execute(f"CREATE VIRTUAL TABLE temp.words_here USING fts5vocab(main, {index}, col)")
        cursor.execute("CREATE VIRTUAL TABLE temp.words_again USING fts5vocab(search_again, col)")
        try:
            for rows in _every_row(kind):
                cursor.executemany(
                    "INSERT INTO search_again (rowid, body, parts) VALUES (%s, %s, %s)", rows
                )
            both = ("words_here", "words_again")
            for one, other in (both, both[::-1]):
                cursor.execute(
                    f"SELECT term, col, doc, cnt FROM {one}"
                    f" EXCEPT SELECT term, col, doc, cnt FROM {other} LIMIT 1"
                )
                if cursor.fetchone():
                    return True
        finally:
            for table in ("words_here", "words_again", "search_again"):
                cursor.execute(f"DROP TABLE temp.{table}")
    return False


def _differs_in_postgres(kind: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(DISTINCT row_id) FROM {INDEXES[kind]}")
        count = cursor.fetchone()[0]
        for rows in _every_row(kind):
            count -= len(rows)
            wanted = [chunk for row in rows for chunk in tables.chunks(row)]
            cursor.execute(
                f"SELECT count(*) FROM {INDEXES[kind]} JOIN"
                " unnest(%s::bigint[], %s::int[], %s::text[]) AS w (pk, nth, said)"
                " ON row_id = pk AND chunk = nth AND body = said::tsvector",
                [list(column) for column in zip(*wanted, strict=True)],
            )
            if cursor.fetchone()[0] != len(wanted):
                return True
    return bool(count)
