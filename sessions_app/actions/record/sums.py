"""Sums over a whole session, which count only while its responses are not known one by one."""

from __future__ import annotations

from django.db.models import Q

from sessions_app.actions.record.batch import Entry
from sessions_app.actions.rollup import rebuild_rollups
from sessions_app.actions.tokens import recount_stored
from sessions_app.models import SessionUsage, Usage
from sessions_app.records import UsageRecord

Told = tuple[Entry, UsageRecord]


def without_needless_sums(told: list[Told]) -> list[Told]:
    """Drop sums over a session wherever its responses are known one by one."""
    exact = {entry.session.id for entry, item in told if not item.summary}
    sums = {entry.session.id: entry for entry, item in told if item.summary}
    old = {entry.session.id: entry for entry, _ in told if not entry.is_new}
    stale = Q(session__in=exact & old.keys())
    if sums:
        # The record of a sum may have learnt that it speaks of another session.
        keys = [item.key for _, item in told if item.summary]
        collectors = {entry.session.collector_id for entry in sums.values()}
        others = ~Q(session__in=list(sums)) & Q(session__collector__in=collectors)
        stale |= Q(key__in=keys) & others
        known = SessionUsage.objects.filter(session__in=list(sums), usage__is_summary=False)
        exact |= set(known.values_list("session_id", flat=True))
    if old or sums:
        _drop(stale, {**old, **sums})
    return [
        (entry, item) for entry, item in told if not (item.summary and entry.session.id in exact)
    ]


def _drop(stale: Q, entries: dict[int, Entry]) -> None:
    rows = list(Usage.objects.filter(stale, is_summary=True).values_list("pk", "session_id"))
    if not rows:
        return
    sums = [pk for pk, _ in rows]
    links = SessionUsage.objects.filter(usage__in=sums)
    touched = {*links.values_list("session_id", flat=True), *(pk for _, pk in rows if pk)}
    links.delete()
    Usage.objects.filter(pk__in=sums).delete()
    for pk in touched & entries.keys():
        entries[pk].recount = True
    recount_stored(touched - entries.keys())
    rebuild_rollups(touched - entries.keys())
