"""Billed responses: one row each, linked to every conversation that holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from django.conf import settings

from sessions_app import border
from sessions_app.actions.bulk import (
    allocate_ids,
    in_groups,
    insert_rows,
    known,
    moments,
    update_rows,
)
from sessions_app.actions.prepare_facts import USAGE_KEY
from sessions_app.actions.prices import PriceBook, price_book
from sessions_app.actions.record.batch import Collector, Entry
from sessions_app.actions.record.sums import Told, without_needless_sums
from sessions_app.actions.rollup import Rollups, rebuild_rollups
from sessions_app.actions.tokens import (
    USAGE_COLUMNS,
    UsageRow,
    add_usage,
    recount_stored,
    recount_usage,
)
from sessions_app.models import AgentSession, SessionUsage, Usage
from sessions_app.models.fields import NANO
from sessions_app.records import UsageRecord

LINK_COLUMNS = ("id", "session_id", "usage_id", "message_id", "waits_for")


def record(entries: Sequence[Entry], by: Collector) -> set[tuple[int, int]]:
    """Insert new usage, enlarge what has grown, link it, count it, roll it up.

    Answers where sessions met: (session that now holds a response, session that owns it).
    """
    _close_waiting(entries)
    told: list[Told] = []
    if settings.SESSIONS_STORE_TOKEN_USAGE:
        told = [(entry, _scoped(item, entry)) for entry in entries for item in _largest(entry)]
        told = without_needless_sums(told)
    stored = _stored(item.key for _, item in told)
    linked = _linked(told)
    prices = price_book() if told else PriceBook("")
    fresh: list[UsageRow] = []
    links: list[tuple[Entry, UsageRow, str]] = []
    grown: dict[str, tuple[UsageRow, UsageRow]] = {}  # what it was, what it is
    for entry, item in told:
        usage = stored.get(item.key)
        if usage is None:
            usage = stored[item.key] = _new_usage(entry, item, prices)
            fresh.append(usage)
        elif _is_better(usage, item):
            was = replace(usage)
            _fill(usage, item, entry, prices)
            grown[item.key] = (grown.get(item.key, (was, was))[0], usage)
        if (entry.session.id, item.key) not in linked:
            linked.add((entry.session.id, item.key))
            links.append((entry, usage, item.message_key))
    _write(fresh, links)
    for usage in fresh:
        grown.pop(usage.key, None)
    _after(entries, fresh, links, list(grown.values()))
    return {
        (entry.session.id, usage.session_id)
        for entry, usage, _ in links
        if usage.session_id is not None and usage.session_id != entry.session.id
    }


def _largest(entry: Entry) -> list[UsageRecord]:
    """The largest usage for each key of this part; of equal ones the first that was written."""
    best: dict[str, UsageRecord] = {}
    for item in entry.part.record.usages:
        have = best.get(item.key)
        if have is None or item.total > have.total or _is_earlier(item, have):
            best[item.key] = item
    return list(best.values())


def _scoped(item: UsageRecord, entry: Entry) -> UsageRecord:
    """A sum is known by a session's short name, which another person's session may bear, too."""
    if not item.summary:
        return item
    owner = f"@{entry.session.collector_id}"
    key = border.clean_name(item.key, USAGE_KEY - len(owner))
    return msgspec.structs.replace(item, key=key + owner)


def _is_earlier(item: UsageRecord, have: UsageRecord | UsageRow) -> bool:
    """Whether this is the original of which the other is a copy: some copies get new times."""
    if item.at is None or item.total != have.total:
        return False
    return have.at is None or item.at < have.at


def _stored(keys: Iterable[str]) -> dict[str, UsageRow]:
    found: dict[str, UsageRow] = {}
    for group in in_groups(known(Usage, "key", keys)):
        for values in Usage.objects.filter(key__in=group).values_list(*USAGE_COLUMNS):
            found[values[1]] = UsageRow(*values)
    return found


def _linked(told: Sequence[Told]) -> set[tuple[int, str]]:
    """(session, key) of the links that are there already."""
    old = {entry.session.id for entry, _ in told if not entry.is_new}
    keys = [item.key for entry, item in told if entry.session.id in old]
    found: set[tuple[int, str]] = set()
    for group in in_groups(keys):
        rows = SessionUsage.objects.filter(session__in=old, usage__key__in=group)
        found.update(rows.values_list("session_id", "usage__key"))
    return found


def _is_better(usage: UsageRow, item: UsageRecord) -> bool:
    if not usage.is_summary:
        return item.total > usage.total or _is_earlier(item, usage)
    have = usage.cost if usage.is_recorded else None
    return item.summary and (item.total, item.cost, item.model) != (usage.total, have, usage.model)


def _new_usage(entry: Entry, item: UsageRecord, prices: PriceBook) -> UsageRow:
    usage = UsageRow(0, item.key, entry.session.backend, entry.session.id, is_summary=item.summary)
    _fill(usage, item, entry, prices)
    return usage


def _fill(usage: UsageRow, item: UsageRecord, entry: Entry, prices: PriceBook) -> None:
    usage.input, usage.output, usage.reasoning = item.input, item.output, item.reasoning
    usage.cache_read, usage.cache_write = item.cache_read, item.cache_write
    usage.cache_write_1h = item.cache_write_1h
    usage.model = item.model or usage.model
    # Without a time of its own it counts on the day on which the session began.
    usage.at = item.at or entry.session.created_at
    usage.is_flagged = item.flagged
    usage.is_recorded = item.cost is not None
    usage.cost = item.cost if item.cost is not None else prices.price(usage)


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
            (pk, entry.session.id, usage.pk, message, key if key and message is None else None)
            for pk, (entry, usage, key) in zip(ids, links, strict=True)
            for message in [entry.message_ids.get(key)]
        ],
    )


def _close_waiting(entries: Sequence[Entry]) -> None:
    """Link responses to messages that came in a later reading than what they cost."""
    old = {entry.session.id: entry for entry in entries if not entry.is_new}
    waiting = SessionUsage.objects.filter(session__in=old, waits_for__isnull=False)
    rows = [
        (message, None, pk)
        for pk, session, key in waiting.values_list("pk", "session_id", "waits_for")
        if (message := old[session].message_ids.get(key or "")) is not None
    ]
    update_rows(SessionUsage, ("message_id", "waits_for"), rows)


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
    grown: Sequence[tuple[UsageRow, UsageRow]],
) -> None:
    """Counters and roll-ups: by adding what is new, and read off the rows after a replacement."""
    here = {entry.session.id: entry.session for entry in entries}
    elsewhere = _enlarge(grown, links, here)
    rollups = Rollups()
    for entry, usage, _ in links:
        add_usage(entry.session, usage)
    for usage in fresh:
        rollups.add(usage)
    for was, usage in grown:
        rollups.add(usage)
        rollups.take(was)
    rollups.write()
    recount_stored(elsewhere)
    replaced = [entry.session for entry in entries if entry.recount]
    for session in replaced:
        recount_usage(session)
    rebuild_rollups(session.pk for session in replaced)


def _enlarge(
    grown: Sequence[tuple[UsageRow, UsageRow]],
    links: Sequence[tuple[Entry, UsageRow, str]],
    here: dict[int, AgentSession],
) -> set[int]:
    """Write the larger numbers; answers which other sessions' counters hold the smaller ones."""
    if not grown:
        return set()
    moment = moments()
    rows = [(*_row(usage, moment)[4:], usage.pk) for _, usage in grown]
    update_rows(Usage, USAGE_COLUMNS[4:], rows)
    both = {usage.pk: (was, usage) for was, usage in grown}
    new = {(entry.session.id, usage.pk) for entry, usage, _ in links}
    elsewhere = set()
    for group in in_groups(both):
        held = SessionUsage.objects.filter(usage__in=group).values_list("session_id", "usage_id")
        for session, pk in held:
            if session not in here:
                elsewhere.add(session)
            elif (session, pk) not in new:
                was, usage = both[pk]
                add_usage(here[session], was, -1)
                add_usage(here[session], usage)
    return elsewhere
