"""Keeps the search index equal to the rows, in the transaction that changes them.

Triggers note every change, whoever makes it (see the migration that creates the index); what is
noted is worked off before the transaction commits, so that the next request finds it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.db import connection

from sessions_app.actions import search_tables as tables
from sessions_app.actions import search_text
from sessions_app.actions.bulk import in_groups
from sessions_app.actions.search_tables import CALLS, FACTS, MESSAGES, Row
from sessions_app.models import AgentSession, Artifact, Message, SessionTag, ToolCall
from sessions_app.packing import unpack_text

CHUNK = 500  # rows that are read at once
MOST = 20_000  # rows of one kind in one transaction; a rebuild leaves more of them waiting
COLUMNS: dict[int, tuple[Any, tuple[str, ...]]] = {
    MESSAGES: (Message, ("text", "thinking")),
    CALLS: (ToolCall, ("input_preview", "input_packed", "output_preview", "output_packed")),
}
OF_SESSION = ("name", "title", "prompt", "description", "work_dir", "git_branch")


def message_row(pk: int, text: str, thinking: str) -> Row:
    return Row(pk, *search_text.of_message(text, thinking))


def call_row(
    pk: int,
    input_preview: str,
    input_packed: bytes | None,
    output_preview: str,
    output_packed: bytes | None,
) -> Row:
    given = unpack_text(input_preview, input_packed)
    return Row(pk, *search_text.of_call(given, unpack_text(output_preview, output_packed)))


ROW: dict[int, Callable[..., Row]] = {MESSAGES: message_row, CALLS: call_row}


class _Told(threading.local):
    """kind -> id -> entry of rows that the transaction at work has inserted."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[int, Row]] = {}


_told = _Told()


def tell_new(kind: int, rows: Iterable[Row]) -> None:
    """Entries of rows that were inserted just now: `catch_up` need not read them again.

    They wait for the end of the transaction: SQLite's index would write what it has collected
    whenever another statement comes between.
    """
    if tables.is_sqlite():
        _told.rows.setdefault(kind, {}).update((row.pk, row) for row in rows)


def forget_told() -> None:
    """The transaction has ended, well or badly."""
    _told.rows = {}


def catch_up() -> None:
    """Tell the index what has changed; at the end of the caller's transaction."""
    is_pending, *fresh = _news()
    changed = _take_pending() if is_pending else {}
    for kind in (MESSAGES, CALLS):
        told = _told.rows.get(kind, {})
        if kind in changed:
            for pk in changed[kind]:
                told.pop(pk, None)
            _again(kind, changed[kind])
        if fresh[kind]:
            _add_new(kind, told)
    if FACTS in changed:
        _facts_again(list(changed[FACTS]))


def _news() -> tuple[bool, bool, bool]:
    """Whether anything is noted, and whether there are messages and calls beyond the last told.

    On SQLite ids only rise: new rows need no note. One query, since most writes bring nothing.
    """
    pending = "EXISTS (SELECT 1 FROM search_pending)"
    if not tables.is_sqlite():
        news = [pending, "FALSE", "FALSE"]
    else:
        known = "(SELECT upto FROM search_state WHERE kind = {})"
        named = [COLUMNS[kind][0]._meta.db_table for kind in (MESSAGES, CALLS)]
        news = [pending] + [
            f"EXISTS (SELECT 1 FROM {table} WHERE id > {known.format(kind)})"
            for kind, table in enumerate(named)
        ]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(news)}")
        found = cursor.fetchone()
    return bool(found[0]), bool(found[1]), bool(found[2])


def _take_pending() -> dict[int, dict[int, Row | None]]:
    """kind -> id -> what the index holds of it; the first note of a row tells that."""
    found: dict[int, dict[int, Row | None]] = {}
    with connection.cursor() as cursor:
        if not tables.is_sqlite():
            # What another transaction is working off is left to it.
            cursor.execute(
                "DELETE FROM search_pending WHERE (kind, row_id) IN (SELECT kind, row_id"
                " FROM search_pending LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING kind, row_id",
                [MOST],
            )
            for kind, pk in cursor.fetchall():
                found.setdefault(kind, {})[pk] = Row(pk, "", "")
            return found
        cursor.execute("SELECT kind, row_id, had, a, b, c, d, id FROM search_pending ORDER BY id")
        notes = cursor.fetchall()
        upto = {kind: _upto(kind) for kind in (MESSAGES, CALLS)}
        for kind, pk, had, *old, _ in notes:
            rows = found.setdefault(kind, {})
            if pk not in rows:
                was_told = had and pk <= upto[kind]
                rows[pk] = ROW[kind](pk, *old[: len(COLUMNS[kind][1])]) if was_told else None
        cursor.execute("DELETE FROM search_pending WHERE id <= %s", [notes[-1][-1]])
    return found


def _upto(kind: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT upto FROM search_state WHERE kind = %s", [kind])
        return int(cursor.fetchone()[0])


def _again(kind: int, changed: dict[int, Row | None]) -> None:
    tables.remove(kind, [row for row in changed.values() if row is not None])
    upto = _upto(kind) if tables.is_sqlite() else max(changed)
    for group in in_groups(pk for pk in sorted(changed) if pk <= upto):
        tables.add(kind, _read(kind, group))


def _add_new(kind: int, told: dict[int, Row]) -> None:
    """Rows beyond the last one told."""
    model, _ = COLUMNS[kind]
    fresh = model.objects.filter(pk__gt=_upto(kind)).order_by("pk").values_list("pk", flat=True)
    ids = list(fresh[:MOST])
    for group in in_groups(pk for pk in ids if pk not in told):
        told.update((row.pk, row) for row in _read(kind, group))
    tables.add(kind, [told[pk] for pk in ids])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE search_state SET upto = %s WHERE kind = %s", [ids[-1], kind])


def _read(kind: int, ids: Sequence[int]) -> list[Row]:
    model, columns = COLUMNS[kind]
    stored = model.objects.filter(pk__in=ids).order_by("pk")
    return [ROW[kind](*row) for row in stored.values_list("pk", *columns)]


def stored_rows(kind: int, *, after: int) -> Iterator[list[Row]]:
    """What the index should hold, in groups of rising ids."""
    model, columns = COLUMNS[kind]
    while True:
        stored = model.objects.filter(pk__gt=after).order_by("pk")
        rows = [ROW[kind](*row) for row in stored.values_list("pk", *columns)[:CHUNK]]
        if not rows:
            return
        yield rows
        after = rows[-1].pk


def _facts_again(sessions: Sequence[int]) -> None:
    """Titles, prompts, tags and paths of these sessions."""
    for group in in_groups(sorted(sessions)):
        fresh = list(fact_rows(group))
        with connection.cursor() as cursor:
            if tables.is_sqlite():
                _remember_facts(cursor, group, fresh)
            else:
                tables.remove(FACTS, [Row(pk, "", "") for pk in group])
        tables.add(FACTS, fresh)


def _remember_facts(cursor: Any, sessions: Sequence[int], fresh: Sequence[Row]) -> None:
    marks = ", ".join(["%s"] * len(sessions))
    here = f"search_facts WHERE session_id IN ({marks})"
    cursor.execute(f"SELECT session_id, body, parts FROM {here}", sessions)
    tables.remove(FACTS, [Row(*row) for row in cursor.fetchall()])
    cursor.execute(f"DELETE FROM {here}", sessions)
    cursor.executemany(
        "INSERT INTO search_facts (session_id, body, parts) VALUES (%s, %s, %s)", fresh
    )


def fact_rows(sessions: Sequence[int]) -> Iterator[Row]:
    """What is said about sessions, beside their conversations."""
    more: dict[int, list[str]] = {}
    tags = SessionTag.objects.filter(session__in=sessions).order_by("tag__name")
    files = Artifact.objects.filter(session__in=sessions).order_by("path")
    for rows in (tags.values_list("session", "tag__name"), files.values_list("session", "path")):
        for pk, text in rows:
            more.setdefault(pk, []).append(text)
    stored = AgentSession.objects.filter(pk__in=sessions).order_by("pk")
    for pk, *texts in stored.values_list("pk", *OF_SESSION):
        yield Row(pk, *search_text.joined(*texts, *more.get(pk, [])))
