"""Roll-ups: own usage of a session by quarter of an hour and model."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from sessions_app.actions.bulk import allocate_ids, moments
from sessions_app.actions.tokens import UsageRow, usage_rows
from sessions_app.models import Usage, UsageRollup
from sessions_app.models.fields import NANO

SUMS = ("responses", "input", "output", "cache_read", "cache_write", "reasoning", "cost",
        "recorded_cost", "unpriced_responses", "unpriced_tokens")  # fmt: skip
COLUMNS = ("id", "session_id", "quarter", "model", *SUMS)
QUARTER = 900  # seconds


def quarter_of(at: datetime) -> datetime:
    """The start of the quarter of an hour, in UTC."""
    seconds = int(at.timestamp())
    return datetime.fromtimestamp(seconds - seconds % QUARTER, UTC)


Sums = dict[tuple[int, datetime, str], list[int]]


class Rollups:
    """Sums that are collected in memory and added to the table, or taken off it, at once."""

    def __init__(self) -> None:
        self.added: Sums = {}
        self.taken: Sums = {}

    def add(self, usage: UsageRow) -> None:
        """Add one response to its owner's sums."""
        _count(self.added, usage)

    def take(self, usage: UsageRow) -> None:
        """Take one response, which is in the table, off its owner's sums."""
        _count(self.taken, usage)

    def write(self) -> None:
        """Bring the stored sums up to date, in the caller's transaction."""
        if self.added:
            _add(self.added)
        if self.taken:
            _take(self.taken)


def _count(sums: Sums, usage: UsageRow) -> None:
    if usage.session_id is None:
        return
    row = sums.setdefault((usage.session_id, quarter_of(usage.at), usage.model), [0] * len(SUMS))
    cost, unpriced = int((usage.cost or Decimal(0)) * NANO), usage.is_unpriced
    values = (
        1, usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning,
        cost, cost if usage.is_recorded else 0, int(unpriced), usage.total if unpriced else 0,
    )  # fmt: skip
    for index, value in enumerate(values):
        row[index] += value


def _add(sums: Sums) -> None:
    table = UsageRollup._meta.db_table
    moment = moments()
    ids = allocate_ids(UsageRollup, len(sums))
    rows: list[list[Any]] = [
        [pk, session, moment(quarter), model, *row]
        for pk, ((session, quarter, model), row) in zip(ids, sums.items(), strict=True)
    ]
    marks = ", ".join(["%s"] * len(COLUMNS))
    adds = ", ".join(f'"{name}" = "{table}"."{name}" + excluded."{name}"' for name in SUMS)
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    with connection.cursor() as cursor:
        cursor.executemany(
            f'INSERT INTO "{table}" ({names}) VALUES ({marks})'
            f" ON CONFLICT (session_id, quarter, model) DO UPDATE SET {adds}",
            rows,
        )


def _take(sums: Sums) -> None:
    moment = moments()
    sets = ", ".join(f'"{name}" = "{name}" - %s' for name in SUMS)
    with connection.cursor() as cursor:
        cursor.executemany(
            f'UPDATE "{UsageRollup._meta.db_table}" SET {sets}'
            " WHERE session_id = %s AND quarter = %s AND model = %s",
            [
                (*row, session, moment(quarter), model)
                for (session, quarter, model), row in sums.items()
            ],
        )
    UsageRollup.objects.filter(session__in={key[0] for key in sums}, responses=0).delete()


def rebuild_rollups(sessions: Iterable[int]) -> None:
    """Make the roll-ups of these sessions anew from their own usage rows."""
    wanted = list(sessions)
    if not wanted:
        return
    UsageRollup.objects.filter(session__in=wanted).delete()
    rollups = Rollups()
    for usage in usage_rows(Usage.objects.filter(session__in=wanted)):
        rollups.add(usage)
    rollups.write()
