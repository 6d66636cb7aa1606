"""The tables of the search index: FTS5 on SQLite, tsvector on PostgreSQL, one way to write both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django.db import connection

from sessions_app import words
from sessions_app.actions.bulk import in_groups

MESSAGES, CALLS, FACTS = 0, 1, 2
INDEXES = ("search_message", "search_call", "search_session")

# Limits of a tsvector: positions of one lexeme, and the last position.
MOST_OF_ONE, MOST_PLACES = 255, 16_000
OVERLAP = 64  # tokens that stand in two chunks, so that a phrase between them is found


class Row(NamedTuple):
    """What the index holds of one message, call or session."""

    pk: int
    body: str
    parts: str  # of identifiers


def is_sqlite() -> bool:
    return connection.vendor == "sqlite"


def add(kind: int, rows: Sequence[Row]) -> None:
    """Put rows, that are not there, into the index; rising ids make the least work."""
    index = INDEXES[kind]
    with connection.cursor() as cursor:
        if is_sqlite():
            cursor.executemany(
                f"INSERT INTO {index} (rowid, body, parts) VALUES (%s, %s, %s)", rows
            )
            return
        with cursor.cursor.copy(f"COPY {index} (row_id, chunk, body) FROM STDIN") as copy:
            for row in rows:
                for chunk in chunks(row):
                    copy.write_row(chunk)


def remove(kind: int, rows: Sequence[Row]) -> None:
    """Take rows out; SQLite must be told exactly what was put in."""
    if not rows:
        return
    index = INDEXES[kind]
    with connection.cursor() as cursor:
        if is_sqlite():
            cursor.executemany(
                f"INSERT INTO {index} ({index}, rowid, body, parts) VALUES ('delete', %s, %s, %s)",
                sorted(rows),
            )
            return
        for group in in_groups(row.pk for row in rows):
            cursor.execute(f"DELETE FROM {index} WHERE row_id = ANY(%s)", [group])


def clear(kind: int) -> None:
    """Empty one index."""
    index = INDEXES[kind]
    with connection.cursor() as cursor:
        if is_sqlite():
            cursor.execute(f"INSERT INTO {index} ({index}) VALUES ('delete-all')")
        else:
            cursor.execute(f"DELETE FROM {index}")


def chunks(row: Row) -> Iterator[tuple[int, int, str]]:
    """(id, chunk, tsvector) of a row: chunk 0 when one holds it all, else from 1."""
    tokens = words.tokens(row.body)
    parts = dict.fromkeys(words.tokens(row.parts))
    found = list(_spans(tokens))
    for number, (start, end) in enumerate(found, 0 if len(found) == 1 else 1):
        places: dict[str, list[int]] = {}
        for place, token in enumerate(tokens[start:end], 1):
            places.setdefault(token[: words.LONGEST], []).append(place)
        if number <= 1:
            for place, part in enumerate(parts):  # two apart: parts make no phrase
                places.setdefault(part, [min(MOST_PLACES + 2 * place, 16_383)])
        yield row.pk, number, " ".join(_lexeme(token, at) for token, at in places.items())


def _spans(tokens: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Runs of tokens that one tsvector can hold, each beginning in the one before."""
    start = 0
    count: dict[str, int] = {}
    for place, token in enumerate(tokens):
        count[token] = count.get(token, 0) + 1
        if count[token] >= MOST_OF_ONE or place - start >= MOST_PLACES - OVERLAP:
            yield start, place + 1
            start = max(place + 1 - OVERLAP, start + 1)
            count = {}
            for again in tokens[start : place + 1]:
                count[again] = count.get(again, 0) + 1
    yield start, len(tokens)


def _lexeme(token: str, places: Sequence[int]) -> str:
    return f"'{token}':{','.join(map(str, places))}"
