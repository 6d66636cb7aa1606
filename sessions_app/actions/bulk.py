"""Rows by the thousand: executemany on SQLite, COPY on PostgreSQL, ids handed out before.

`executemany` costs 5 us a row where `bulk_create` costs 45; this path is for ingest and
append, the ORM for everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import (
    BigAutoField,
    BigIntegerField,
    BooleanField,
    CharField,
    Field,
    ForeignKey,
    IntegerField,
    Model,
    PositiveBigIntegerField,
    PositiveIntegerField,
    TextField,
)

IN_LIMIT = 500  # values in one IN (...)


def allocate_ids(model: type[Model], count: int) -> range | list[int]:
    """`count` new primary keys in rising order; call it inside the write transaction.

    They are taken at once: asking again before they are used gives others, and those of deleted
    rows never come back.
    """
    if count == 0:
        return []
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            last = _take_sqlite_ids(cursor, table, count)
            return range(last - count + 1, last + 1)
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [table, count],
        )
        return sorted(row[0] for row in cursor.fetchall())


def _take_sqlite_ids(cursor: CursorWrapper, table: str, count: int) -> int:
    """Raise the table's AUTOINCREMENT counter; answers where it stands then."""
    top = f'(SELECT COALESCE(MAX(id), 0) FROM "{table}")'
    cursor.execute(
        f"UPDATE sqlite_sequence SET seq = MAX(seq, {top}) + %s WHERE name = %s RETURNING seq",
        [count, table],
    )
    rows = cursor.fetchall()
    if not rows:
        cursor.execute(
            f"INSERT INTO sqlite_sequence (name, seq) VALUES (%s, {top} + %s) RETURNING seq",
            [table, count],
        )
        rows = cursor.fetchall()
    return int(rows[0][0])


def insert_rows(model: type[Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert complete rows; values must already be what the driver takes (see `moments`)."""
    if not rows:
        return
    table, names = model._meta.db_table, ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
                for row in rows:
                    copy.write_row(row)
            return
        marks = ", ".join(["%s"] * len(columns))
        cursor.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', rows)


def insert_models(rows: Sequence[Model]) -> None:
    """Insert unsaved instances that have their ids; for wide tables where a row is worth one."""
    if not rows:
        return
    fields = rows[0]._meta.concrete_fields
    values = _values(fields)
    insert_rows(
        type(rows[0]), [str(field.column) for field in fields], [values(row) for row in rows]
    )
    for row in rows:
        row._state.adding = False


def save_models(rows: Sequence[Model], names: Sequence[str]) -> None:
    """Write these fields of stored instances; `bulk_update` would build a CASE for every cell."""
    if not rows:
        return
    fields = [rows[0]._meta.get_field(name) for name in names]
    concrete = [field for field in fields if isinstance(field, Field)]
    values = _values(concrete)
    update_rows(
        type(rows[0]),
        [str(field.column) for field in concrete],
        [[*values(row), row.pk] for row in rows],
    )


# What the driver takes as it is; asking the field would cost 2 us a value, and a session has 65.
PLAIN = {BigAutoField, BigIntegerField, BooleanField, CharField, ForeignKey, IntegerField,
         PositiveIntegerField, PositiveBigIntegerField, TextField}  # fmt: skip


def _values(fields: Sequence[Field[Any, Any]]) -> Callable[[Model], list[Any]]:
    """How the driver takes the values of these fields of an instance."""
    plans = [
        (field.attname, None if type(field) in PLAIN else partial(_prepared, field))
        for field in fields
    ]

    def values(row: Model) -> list[Any]:
        told = row.__dict__
        return [told[name] if prepare is None else prepare(told[name]) for name, prepare in plans]

    return values


def _prepared(field: Field[Any, Any], value: Any) -> Any:
    return field.get_db_prep_save(value, connection)


def update_rows(model: type[Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Set `columns` on each row; every item of `rows` is the new values and then the id."""
    if not rows:
        return
    sets = ", ".join(f'"{column}" = %s' for column in columns)
    with connection.cursor() as cursor:
        cursor.executemany(f'UPDATE "{model._meta.db_table}" SET {sets} WHERE id = %s', rows)


def known(model: type[Model], column: str, values: Iterable[str]) -> set[str]:
    """Those of these words that stand in a column with an index.

    As one JSON array: a query with 500 marks costs 18 us a word, this one 2.
    """
    wanted = list(dict.fromkeys(values))
    if not wanted:
        return set()
    told = "SELECT value FROM json_each(%s)"
    if connection.vendor == "postgresql":
        told = "SELECT jsonb_array_elements_text(%s::jsonb)"
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT "{column}" FROM "{model._meta.db_table}" WHERE "{column}" IN ({told})',
            [msgspec.json.encode(wanted).decode()],
        )
        return {row[0] for row in cursor.fetchall()}


def moments() -> Callable[[datetime | None], Any]:
    """How the driver takes a time in UTC: as text for SQLite, as it is for PostgreSQL.

    Ask once for a batch: finding out the vendor costs as much as formatting ten times.
    """
    return _as_text if connection.vendor == "sqlite" else _as_is


def _as_text(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat(" ")[:-6]  # without +00:00


def _as_is(value: datetime | None) -> datetime | None:
    return value


def in_groups(values: Iterable[Any], size: int = IN_LIMIT) -> Iterable[list[Any]]:
    """`values` without repeats, in lists short enough for one query."""
    unique = list(dict.fromkeys(values))
    for start in range(0, len(unique), size):
        yield unique[start : start + size]
