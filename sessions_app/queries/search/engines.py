"""The two engines: which rows of an index match. The same answers from both."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection

from sessions_app.queries.search.grammar import Asked, Term

Fragment = tuple[str, list[Any]]  # SQL and its parameters


def matching(index: str, asked: Asked) -> Fragment:
    """A SELECT of the ids in `index` that match; newest first where that costs nothing."""
    if connection.vendor == "sqlite":
        return f"SELECT rowid AS id FROM {index} WHERE {index} MATCH %s", [fts(asked)]
    return _postgres(index, asked)


def fts(asked: Asked) -> str:
    """For FTS5. Tokens are letters and digits: between quotes none of them is an operator."""
    groups = [" OR ".join(_fts_term(term) for term in group) for group in asked.groups]
    query = " AND ".join(f"({group})" for group in groups)
    for term in asked.without:
        query = f"({query}) NOT ({_fts_term(term)})"
    return query


def _fts_term(term: Term) -> str:
    star = " *" if term.is_prefix else ""
    phrase = f'"{" ".join(term.tokens)}"{star}'
    # Parts of identifiers stand side by side by chance: they make no phrase.
    return phrase if len(term.tokens) == 1 else f"(body : {phrase})"


def _postgres(index: str, asked: Asked) -> Fragment:
    """What stands in one row is asked at once; of a text in chunks each condition alone."""
    groups = [" | ".join(_ts_term(term) for term in group) for group in asked.groups]
    without = [_ts_term(term) for term in asked.without]
    whole = " & ".join([f"({group})" for group in groups] + [f"!({term})" for term in without])
    chunk = f"SELECT row_id FROM {index} WHERE chunk > 0 AND body @@ %s::tsquery"
    chunks = f" INTERSECT {chunk}" * (len(groups) - 1) + f" EXCEPT {chunk}" * len(without)
    return (
        f"SELECT row_id AS id FROM {index} WHERE chunk = 0 AND body @@ %s::tsquery"
        f" UNION ALL (SELECT row_id FROM ({chunk}{chunks}) AS long_ones)",
        [whole, *groups, *without],
    )


def _ts_term(term: Term) -> str:
    parts = [f"'{token}'" for token in term.tokens]
    if term.is_prefix:
        parts[-1] += ":*"
    return "(" + " <-> ".join(parts) + ")"


def rows(sql: str, params: Iterable[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(params))
        return list(cursor.fetchall())


def one_of(ids: Iterable[int]) -> Fragment:
    """What follows a column: that it is one of these. One parameter, however many they are."""
    wanted = sorted(ids)
    if connection.vendor == "postgresql":
        return "= ANY(%s)", [wanted]
    return "IN (SELECT value FROM json_each(%s))", [json.dumps(wanted)]


def as_moment(value: datetime | str) -> datetime:
    """A time as the driver gives it: SQLite's are text in UTC."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(f"{value}+00:00")
