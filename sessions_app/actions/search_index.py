"""Keeps the search index equal to the rows, in the transaction that changes them.

Triggers note every change, whoever makes it (see the migration that creates the index); what is
noted is worked off before the transaction commits, so that the next request finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.db import connection

from sessions_app import words
from sessions_app.actions import search_tables as tables
from sessions_app.actions.bulk import in_groups
from sessions_app.actions.search_tables import CALLS, FACTS, MESSAGES, Row
from sessions_app.models import AgentSession, Artifact, Message, SessionTag, ToolCall
from sessions_app.packing import unpack_text

BARRIER = "xbarrierx"  # a token between two texts, so that no phrase runs from one to the next
CHUNK = 500  # rows that are read at once
MOST = 20_000  # rows of one kind in one transaction; a rebuild leaves more of them waiting
COLUMNS: dict[int, tuple[Any, tuple[str, ...]]] = {
    MESSAGES: (Message, ("text", "thinking")),
    CALLS: (ToolCall, ("input_preview", "input_packed", "output_preview", "output_packed")),
}
OF_SESSION = ("name", "title", "prompt", "description", "work_dir", "git_branch")


def message_row(pk: int, text: str, thinking: str) -> Row:
    return Row(pk, *joined(text, thinking))


def call_row(
    pk: int,
    input_preview: str,
    input_packed: bytes | None,
    output_preview: str,
    output_packed: bytes | None,
) -> Row:
    given = words.unescaped(unpack_text(input_preview, input_packed))
    answer = unpack_text(output_preview, output_packed)
    return Row(pk, *joined(given, answer))


def joined(*texts: str | None) -> tuple[str, str]:
    """(body, parts) of texts that no phrase connects."""
    said = [text for text in texts if text]
    body = f" {BARRIER} ".join(map(words.indexable, said))
    return body, " ".join(filter(None, map(words.parts, said)))


ROW: dict[int, Callable[..., Row]] = {MESSAGES: message_row, CALLS: call_row}


def catch_up() -> None:
    """Tell the index what has changed; in the caller's transaction."""
    is_pending, *fresh = _news()
    changed = _take_pending() if is_pending else {}
    for kind in (MESSAGES, CALLS):
        if kind in changed:
            _again(kind, changed[kind])
        if fresh[kind]:
            _add_new(kind)
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
        for kind, pk, had, *old, _ in notes:
            rows = found.setdefault(kind, {})
            if pk not in rows:
                width = len(COLUMNS[kind][1]) if had else 0
                rows[pk] = ROW[kind](pk, *old[:width]) if had else None
        cursor.execute("DELETE FROM search_pending WHERE id <= %s", [notes[-1][-1]])
    return found


def _again(kind: int, changed: dict[int, Row | None]) -> None:
    tables.remove(kind, [row for row in changed.values() if row is not None])
    for group in in_groups(sorted(changed)):
        model, columns = COLUMNS[kind]
        stored = model.objects.filter(pk__in=group).order_by("pk")
        tables.add(kind, [ROW[kind](*row) for row in stored.values_list("pk", *columns)])


def _add_new(kind: int, most: int = MOST) -> None:
    """Rows beyond the last one told."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT upto FROM search_state WHERE kind = %s", [kind])
        upto = before = cursor.fetchone()[0]
        for rows in stored_rows(kind, after=upto):
            tables.add(kind, rows)
            upto, most = rows[-1].pk, most - len(rows)
            if most <= 0:
                break
        if upto != before:
            cursor.execute("UPDATE search_state SET upto = %s WHERE kind = %s", [upto, kind])


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
        yield Row(pk, *joined(*texts, *more.get(pk, [])))
