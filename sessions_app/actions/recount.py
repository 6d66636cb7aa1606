"""Everything that is derived from usage rows, made anew: costs, sums of sessions, roll-ups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from sessions_app.actions.bulk import in_groups, save_models, update_rows
from sessions_app.actions.prices import PriceBook, price_book
from sessions_app.actions.rollup import SUMS, Rollups, rebuild_rollups
from sessions_app.actions.tokens import (
    COUNTERS,
    MONEY,
    UsageRow,
    add_usage,
    recount_stored,
    usage_rows,
)
from sessions_app.actions.transaction import record_alone, write_transaction
from sessions_app.models import AgentSession, SessionUsage, Usage, UsageRollup
from sessions_app.models.fields import NANO

ROWS = 2000  # usage rows at once
SESSIONS = 100  # sessions in one transaction
FIELDS = (*COUNTERS, *MONEY)
MONEY_SUMS = ("cost", "recorded_cost")

Sums = dict[tuple[int, datetime, str], list[int]]
Progress = Callable[[int], None]  # rows and sessions that were looked at since the last call


@dataclass(slots=True)
class Recount:
    """What was looked at, and what was not as it should be."""

    responses: int = 0
    sessions: int = 0
    repriced: int = 0
    unpriced_before: int = 0
    unpriced_after: int = 0
    before: Decimal = Decimal(0)
    after: Decimal = Decimal(0)
    changed: set[int] = field(default_factory=set)  # sessions
    rollups: set[int] = field(default_factory=set)  # sessions whose roll-ups were wrong

    @property
    def is_unchanged(self) -> bool:
        """Whether everything was as it should be."""
        return not (self.repriced or self.changed or self.rollups)


def recount(*, check: bool = False, progress: Progress = lambda _: None) -> Recount:
    """Price every response anew and bring all sums in line; with `check` only look.

    In short transactions, each of which leaves costs and sums in agreement, so that others
    write meanwhile. A cost that the agent recorded stays.
    """
    done, book = Recount(), price_book()
    for rows in _usage_groups():
        _reprice(rows, book, done, check=check)
        progress(len(rows))
    for sessions in _session_groups():
        _bring_in_line(sessions, book, done, check=check)
        progress(len(sessions))
    return done


def _usage_groups() -> Iterator[list[UsageRow]]:
    last = 0
    while rows := list(usage_rows(Usage.objects.filter(pk__gt=last).order_by("pk")[:ROWS])):
        yield rows
        last = rows[-1].pk


def _session_groups() -> Iterator[list[int]]:
    last, every = 0, AgentSession.objects.order_by("pk").values_list("pk", flat=True)
    while pks := list(every.filter(pk__gt=last)[:SESSIONS]):
        yield pks
        last = pks[-1]


def _priced(row: UsageRow, book: PriceBook) -> UsageRow:
    """The row as it should be."""
    return row if row.is_recorded else replace(row, cost=book.price(row))


def _reprice(rows: list[UsageRow], book: PriceBook, done: Recount, *, check: bool) -> None:
    stale = []
    for row in rows:
        new = _priced(row, book)
        done.responses += 1
        done.before += row.cost or 0
        done.after += new.cost or 0
        done.unpriced_before += row.is_unpriced
        done.unpriced_after += new.is_unpriced
        if new.cost != row.cost:
            stale.append(row.pk)
    done.repriced += len(stale)
    if stale and not check:
        _write_prices(stale, book, done)


def _write_prices(stale: list[int], book: PriceBook, done: Recount) -> None:
    with write_transaction():
        record_alone()
        holders: set[int] = set()
        owners: set[int] = set()
        for pks in in_groups(stale):
            rows = [_priced(row, book) for row in usage_rows(Usage.objects.filter(pk__in=pks))]
            costs = [(None if row.cost is None else int(row.cost * NANO), row.pk) for row in rows]
            update_rows(Usage, ("cost",), costs)
            owners.update(row.session_id for row in rows if row.session_id is not None)
            links = SessionUsage.objects.filter(usage__in=pks)
            holders.update(links.values_list("session_id", flat=True))
        for sessions in in_groups(holders):
            recount_stored(sessions)
        for sessions in in_groups(owners):
            rebuild_rollups(sessions)
        done.changed |= holders
        done.rollups |= owners


def _bring_in_line(pks: list[int], book: PriceBook, done: Recount, *, check: bool) -> None:
    """Compare the sums of these sessions with their rows, first without holding anybody up."""
    done.sessions += len(pks)
    wrong, rollups = _compare(pks, book)
    if not check and (wrong or rollups):
        with write_transaction():
            record_alone()
            wrong, rollups = _compare(pks, book)
            save_models(wrong, FIELDS)
            rebuild_rollups(rollups)
    done.changed.update(session.pk for session in wrong)
    done.rollups |= rollups


def _compare(pks: list[int], book: PriceBook) -> tuple[list[AgentSession], set[int]]:
    """(sessions with other sums, put right but not saved; sessions with other roll-ups)."""
    held = SessionUsage.objects.filter(session__in=pks).values_list("session_id", "usage_id")
    links = list(held)
    rows: dict[int, UsageRow] = {}
    for usages in in_groups(usage for _, usage in links):
        found = usage_rows(Usage.objects.filter(pk__in=usages))
        rows.update({row.pk: _priced(row, book) for row in found})
    return _wrong_sessions(pks, links, rows), _wrong_rollups(pks, book)


def _wrong_sessions(
    pks: list[int], links: list[tuple[int, int]], rows: dict[int, UsageRow]
) -> list[AgentSession]:
    stored = {row.pk: row for row in AgentSession.objects.filter(pk__in=pks)}
    before = {pk: _figures(session) for pk, session in stored.items()}
    for session in stored.values():
        for name in FIELDS:
            setattr(session, name, 0 if name in COUNTERS else Decimal(0))
    for pk, usage in links:
        if pk in stored and usage in rows:  # else it came or went since the question
            add_usage(stored[pk], rows[usage])
    return [session for pk, session in stored.items() if _figures(session) != before[pk]]


def _figures(session: AgentSession) -> list[int | Decimal]:
    return [getattr(session, name) for name in FIELDS]


def _wrong_rollups(pks: list[int], book: PriceBook) -> set[int]:
    rollups = Rollups()
    for row in usage_rows(Usage.objects.filter(session__in=pks)):
        rollups.add(_priced(row, book))
    wanted, stored = rollups.added, _stored_rollups(pks)
    keys = wanted.keys() | stored.keys()
    return {key[0] for key in keys if wanted.get(key) != stored.get(key)}


def _stored_rollups(pks: list[int]) -> Sums:
    rows = UsageRollup.objects.filter(session__in=pks)
    names = ("session_id", "quarter", "model", *SUMS)
    return {
        (session, quarter, model): [
            int(value * NANO) if name in MONEY_SUMS else value
            for name, value in zip(SUMS, sums, strict=True)
        ]
        for session, quarter, model, *sums in rows.values_list(*names)
    }
