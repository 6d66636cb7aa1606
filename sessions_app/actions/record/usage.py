"""Billed responses: one row each, linked to every conversation that holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings

from sessions_app import border
from sessions_app.actions.bulk import allocate_ids, in_groups, insert_rows, moments, update_rows
from sessions_app.actions.record.batch import Collector, Entry
from sessions_app.actions.rollup import Rollups, rebuild_rollups
from sessions_app.actions.tokens import UsageRow, add_usage, recount_usage
from sessions_app.border import clean_count
from sessions_app.models import AgentSession, SessionUsage, Usage
from sessions_app.models.fields import NANO
from sessions_app.prices import price_usage
from sessions_app.records import UsageRecord

USAGE_COLUMNS = (
    "id", "key", "backend", "session_id", "model", "at", "input", "output", "cache_read",
    "cache_write", "cache_write_1h", "reasoning", "cost", "is_recorded", "is_summary",
    "is_flagged",
)  # fmt: skip
LINK_COLUMNS = ("id", "session_id", "usage_id", "message_id")


def record(entries: Sequence[Entry], by: Collector) -> None:
    """Insert new usage, enlarge what has grown, link it, count it, roll it up."""
    if not settings.SESSIONS_STORE_TOKEN_USAGE:
        return
    told = [(entry, item) for entry in entries for item in _largest(entry)]
    told = _without_needless_summaries(told, entries)
    known = _known(f"{entry.session.backend}:{item.key}"[:400] for entry, item in told)
    linked = _linked(entries)
    fresh: list[UsageRow] = []
    links: list[tuple[Entry, UsageRow, str]] = []
    grown: dict[str, UsageRow] = {}
    for entry, item in told:
        key = f"{entry.session.backend}:{item.key}"[:400]
        usage = known.get(key)
        if usage is None:
            usage = known[key] = _new_usage(key, entry, item, by)
            fresh.append(usage)
        elif _is_better(usage, item):
            _fill(usage, item, entry, by)
            grown[key] = usage
        if (entry.session.pk, key) not in linked:
            linked.add((entry.session.pk, key))
            links.append((entry, usage, item.message_key))
    _write(fresh, links)
    for usage in fresh:
        grown.pop(usage.key, None)
    _after(entries, fresh, links, list(grown.values()))


def _largest(entry: Entry) -> list[UsageRecord]:
    """The largest usage for each key of this part."""
    best: dict[str, UsageRecord] = {}
    for item in entry.part.record.usages:
        have = best.get(item.key)
        if have is None or item.total > have.total:
            best[item.key] = item
    return list(best.values())


def _without_needless_summaries(
    told: list[tuple[Entry, UsageRecord]], entries: Sequence[Entry]
) -> list[tuple[Entry, UsageRecord]]:
    """Drop sums over a session wherever its responses are known one by one."""
    if not any(item.summary for _, item in told):
        exact = {entry.session.pk for entry, item in told if not entry.is_new}
        stale = Usage.objects.filter(session__in=exact, is_summary=True)
        touched = set(stale.values_list("session_id", flat=True)) if exact else set()
        if touched:
            SessionUsage.objects.filter(usage__in=stale).delete()
            stale.delete()
            for entry in entries:
                entry.recount |= entry.session.pk in touched
        return told
    sessions = {entry.session.pk for entry, item in told if item.summary}
    known = set(
        SessionUsage.objects.filter(session__in=sessions, usage__is_summary=False).values_list(
            "session_id", flat=True
        )
    )
    known |= {entry.session.pk for entry, item in told if not item.summary}
    return [
        (entry, item) for entry, item in told if not (item.summary and entry.session.pk in known)
    ]


def _known(keys: Iterable[str]) -> dict[str, UsageRow]:
    found: dict[str, UsageRow] = {}
    for group in in_groups(keys):
        for values in Usage.objects.filter(key__in=group).values_list(*USAGE_COLUMNS):
            found[values[1]] = UsageRow(*values)
    return found


def _linked(entries: Sequence[Entry]) -> set[tuple[int, str]]:
    old = [entry.session.pk for entry in entries if not entry.is_new and entry.part.record.usages]
    rows = SessionUsage.objects.filter(session__in=old)
    return set(rows.values_list("session_id", "usage__key")) if old else set()


def _is_better(usage: UsageRow, item: UsageRecord) -> bool:
    if usage.is_summary:
        return item.summary and item.total != usage.total
    return item.total > usage.total


def _new_usage(key: str, entry: Entry, item: UsageRecord, by: Collector) -> UsageRow:
    usage = UsageRow(0, key, entry.session.backend, entry.session.pk, is_summary=item.summary)
    _fill(usage, item, entry, by)
    return usage


def _fill(usage: UsageRow, item: UsageRecord, entry: Entry, by: Collector) -> None:
    usage.input, usage.output = clean_count(item.input), clean_count(item.output)
    usage.cache_read, usage.reasoning = clean_count(item.cache_read), clean_count(item.reasoning)
    usage.cache_write = clean_count(item.cache_write)
    usage.cache_write_1h = clean_count(item.cache_write_1h)
    usage.model = border.clean_line(item.model or usage.model, 200)
    at = border.clean_time(item.at, now=by.now)
    usage.at = at or entry.part.record.last_active or entry.session.last_active
    usage.is_flagged = item.flagged
    recorded = border.clean_money(item.cost)
    usage.is_recorded = recorded is not None
    usage.cost = recorded if recorded is not None else price(usage)


def price(usage: UsageRow) -> Decimal | None:
    """Our estimate from tokens and the dated price table; None when the model has no price."""
    nano = price_usage(
        usage.model, usage.at, backend=usage.backend, input=usage.input, output=usage.output,
        cache_read=usage.cache_read, cache_write=usage.cache_write,
        cache_write_1h=usage.cache_write_1h,
    )  # fmt: skip
    return None if nano is None else Decimal(nano) / NANO


def _write(fresh: Sequence[UsageRow], links: Sequence[tuple[Entry, UsageRow, str]]) -> None:
    moment = moments()
    for usage, pk in zip(fresh, allocate_ids(Usage, len(fresh)), strict=True):
        usage.pk = pk
    insert_rows(Usage, USAGE_COLUMNS, [_row(usage, moment) for usage in fresh])
    ids = allocate_ids(SessionUsage, len(links))
    insert_rows(
        SessionUsage,
        LINK_COLUMNS,
        [
            (pk, entry.session.pk, usage.pk, entry.message_ids.get(key))
            for pk, (entry, usage, key) in zip(ids, links, strict=True)
        ],
    )


def _row(usage: UsageRow, moment: Callable[[datetime], Any]) -> tuple[Any, ...]:
    cost = None if usage.cost is None else int(usage.cost * NANO)
    return (
        usage.pk, usage.key, usage.backend, usage.session_id, usage.model, moment(usage.at),
        usage.input, usage.output, usage.cache_read, usage.cache_write, usage.cache_write_1h,
        usage.reasoning, cost, usage.is_recorded, usage.is_summary, usage.is_flagged,
    )  # fmt: skip


def _after(
    entries: Sequence[Entry],
    fresh: Sequence[UsageRow],
    links: Sequence[tuple[Entry, UsageRow, str]],
    grown: Sequence[UsageRow],
) -> None:
    """Counters and roll-ups: by adding where rows were only added, else read off the rows."""
    rollups = Rollups()
    for entry, usage, _ in links:
        add_usage(entry.session, usage)
    for usage in fresh:
        rollups.add(usage)
    rollups.write()
    here = {entry.session.pk: entry.session for entry in entries}
    recount = {entry.session.pk for entry in entries if entry.recount}
    moment = moments()
    update_rows(Usage, USAGE_COLUMNS[4:], [(*_row(usage, moment)[4:], usage.pk) for usage in grown])
    recount |= set(
        SessionUsage.objects.filter(usage__in=[usage.pk for usage in grown]).values_list(
            "session_id", flat=True
        )
    )
    owners = {usage.session_id for usage in grown if usage.session_id} | recount
    _recount(recount, owners, here)


def _recount(recount: set[int], owners: set[int], here: dict[int, AgentSession]) -> None:
    for pk in recount:
        if pk in here:
            recount_usage(here[pk])
        else:
            session = AgentSession.objects.get(pk=pk)
            session.save(update_fields=recount_usage(session))
    rebuild_rollups(owners)
