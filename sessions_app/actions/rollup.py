"""Roll-ups: own usage of a session by quarter of an hour and model."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from sessions_app.actions.bulk import allocate_ids, moments
from sessions_app.actions.tokens import UsageRow
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


class Rollups:
    """Sums that are collected in memory and added to the table at once."""

    def __init__(self) -> None:
        self.sums: dict[tuple[int, datetime, str], list[int]] = {}

    def add(self, usage: Usage | UsageRow) -> None:
        """Add one response to its owner's sums."""
        if usage.session_id is None:
            return
        key = (usage.session_id, quarter_of(usage.at), usage.model)
        sums = self.sums.setdefault(key, [0] * len(SUMS))
        total = usage.input + usage.output + usage.cache_read + usage.cache_write
        cost = int((usage.cost or Decimal(0)) * NANO)
        unpriced = usage.cost is None and total > 0
        values = (
            1, usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning,
            cost, cost if usage.is_recorded else 0, int(unpriced), total if unpriced else 0,
        )  # fmt: skip
        for index, value in enumerate(values):
            sums[index] += value

    def write(self) -> None:
        """Add the sums to the stored ones, in the caller's transaction."""
        if not self.sums:
            return
        table = UsageRollup._meta.db_table
        moment = moments()
        ids = allocate_ids(UsageRollup, len(self.sums))
        rows: list[list[Any]] = [
            [pk, session, moment(quarter), model, *sums]
            for pk, ((session, quarter, model), sums) in zip(ids, self.sums.items(), strict=True)
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


def rebuild_rollups(sessions: Iterable[int]) -> None:
    """Make the roll-ups of these sessions anew from their own usage rows."""
    wanted = list(sessions)
    if not wanted:
        return
    UsageRollup.objects.filter(session__in=wanted).delete()
    rollups = Rollups()
    for usage in Usage.objects.filter(session__in=wanted).iterator(chunk_size=2000):
        rollups.add(usage)
    rollups.write()
