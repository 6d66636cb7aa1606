"""Billed responses: one row each, linked to every conversation that holds it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.conf import settings

from sessions_app import border
from sessions_app.actions.bulk import allocate_ids, in_groups, insert_rows, moment
from sessions_app.actions.record.batch import Collector, Entry
from sessions_app.actions.rollup import Rollups, rebuild_rollups
from sessions_app.actions.tokens import add_usage, recount_usage
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
NUMBERS = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")


def record(entries: Sequence[Entry], by: Collector) -> None:
    """Insert new usage, enlarge what has grown, link it, count it, roll it up."""
    if not settings.SESSIONS_STORE_TOKEN_USAGE:
        return
    told = [(entry, item) for entry in entries for item in _largest(entry)]
    told = _without_needless_summaries(told, entries)
    known = _known(f"{entry.session.backend}:{item.key}"[:400] for entry, item in told)
    linked = _linked(entries)
    fresh: list[tuple[Entry, Usage, UsageRecord]] = []
    links: list[tuple[Entry, Usage, str]] = []
    grown: dict[int, Usage] = {}
    for entry, item in told:
        key = f"{entry.session.backend}:{item.key}"[:400]
        usage = known.get(key)
        if usage is None:
            usage = known[key] = _new_usage(key, entry, item, by)
            fresh.append((entry, usage, item))
        elif _is_better(usage, item):
            _fill(usage, item, entry, by)
            grown[id(usage)] = usage
        if (entry.session.pk, key) not in linked:
            linked.add((entry.session.pk, key))
            links.append((entry, usage, item.message_key))
    _write(fresh, links)
    _after(entries, fresh, links, [usage for usage in grown.values() if usage.pk])


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


def _known(keys: Any) -> dict[str, Usage]:
    found: dict[str, Usage] = {}
    for group in in_groups(keys):
        found.update({usage.key: usage for usage in Usage.objects.filter(key__in=group)})
    return found


def _linked(entries: Sequence[Entry]) -> set[tuple[int, str]]:
    old = [entry.session.pk for entry in entries if not entry.is_new and entry.part.record.usages]
    rows = SessionUsage.objects.filter(session__in=old)
    return set(rows.values_list("session_id", "usage__key")) if old else set()


def _is_better(usage: Usage, item: UsageRecord) -> bool:
    total = usage.input + usage.output + usage.cache_read + usage.cache_write
    if usage.is_summary:
        return item.summary and (item.total != total)
    return item.total > total


def _new_usage(key: str, entry: Entry, item: UsageRecord, by: Collector) -> Usage:
    usage = Usage(
        key=key, backend=entry.session.backend, session_id=entry.session.pk, is_summary=item.summary
    )
    _fill(usage, item, entry, by)
    return usage


def _fill(usage: Usage, item: UsageRecord, entry: Entry, by: Collector) -> None:
    for field in NUMBERS:
        setattr(usage, field, border.clean_count(getattr(item, field)))
    usage.model = border.clean_line(item.model or usage.model, 200)
    at = border.clean_time(item.at, now=by.now)
    usage.at = at or entry.part.record.last_active or entry.session.last_active
    usage.is_flagged = item.flagged
    recorded = border.clean_money(item.cost)
    usage.is_recorded = recorded is not None
    usage.cost = recorded if recorded is not None else price(usage)


def price(usage: Usage) -> Decimal | None:
    """Our estimate from tokens and the dated price table; None when the model has no price."""
    nano = price_usage(
        usage.model, usage.at, backend=usage.backend,
        **{field: getattr(usage, field) for field in NUMBERS if field != "reasoning"},
    )  # fmt: skip
    return None if nano is None else Decimal(nano) / NANO


def _write(
    fresh: Sequence[tuple[Entry, Usage, UsageRecord]], links: Sequence[tuple[Entry, Usage, str]]
) -> None:
    for (_, usage, _item), pk in zip(fresh, allocate_ids(Usage, len(fresh)), strict=True):
        usage.pk = pk
    insert_rows(Usage, USAGE_COLUMNS, [_row(usage) for _, usage, _ in fresh])
    ids = allocate_ids(SessionUsage, len(links))
    insert_rows(
        SessionUsage,
        LINK_COLUMNS,
        [
            (pk, entry.session.pk, usage.pk, entry.message_ids.get(key))
            for pk, (entry, usage, key) in zip(ids, links, strict=True)
        ],
    )


def _row(usage: Usage) -> tuple[Any, ...]:
    cost = None if usage.cost is None else int(usage.cost * NANO)
    return (
        usage.pk, usage.key, usage.backend, usage.session_id, usage.model, moment(usage.at),
        usage.input, usage.output, usage.cache_read, usage.cache_write, usage.cache_write_1h,
        usage.reasoning, cost, usage.is_recorded, usage.is_summary, usage.is_flagged,
    )  # fmt: skip


def _after(
    entries: Sequence[Entry],
    fresh: Sequence[tuple[Entry, Usage, UsageRecord]],
    links: Sequence[tuple[Entry, Usage, str]],
    grown: Sequence[Usage],
) -> None:
    """Counters and roll-ups: by adding where rows were only added, else read off the rows."""
    rollups = Rollups()
    new = {id(usage) for _, usage, _ in fresh}
    regrown = [usage for usage in grown if id(usage) not in new]
    for entry, usage, _ in links:
        add_usage(entry.session, usage)
    for _, usage, _ in fresh:
        rollups.add(usage)
    rollups.write()
    here = {entry.session.pk: entry.session for entry in entries}
    recount = {entry.session.pk for entry in entries if entry.recount}
    if regrown:
        Usage.objects.bulk_update(regrown, [*NUMBERS, "model", "at", "cost", "is_recorded",
                                            "is_flagged"], batch_size=100)  # fmt: skip
        recount |= set(
            SessionUsage.objects.filter(usage__in=regrown).values_list("session_id", flat=True)
        )
    owners = {usage.session_id for usage in regrown if usage.session_id} | recount
    _recount(recount, owners, here)


def _recount(recount: set[int], owners: set[int], here: dict[int, AgentSession]) -> None:
    for pk in recount:
        if pk in here:
            recount_usage(here[pk])
        else:
            session = AgentSession.objects.get(pk=pk)
            session.save(update_fields=recount_usage(session))
    rebuild_rollups(owners)
