"""What could not be read, listed once and taken off the list when it reads well again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.db.models import Q

from sessions_app.actions.bulk import in_groups
from sessions_app.actions.prepared import FilePart
from sessions_app.actions.record.batch import Collector
from sessions_app.models import IngestProblem


class Listed(NamedTuple):
    """A problem on the list, as far as a reading can take it off."""

    pk: int
    path: str
    line: int
    session: int | None
    source: str


def record(parts: Sequence[FilePart], by: Collector, owners: Mapping[str, int]) -> int:
    """Write the problems of these parts; answers how many there are."""
    _forget_old(parts, by, owners)
    rows = [
        IngestProblem(
            collector=by.user,
            source=part.source,
            path=problem.path or part.path,
            line=problem.line,
            reason=problem.reason,
            sample=problem.sample,
            session_id=owners.get(part.path),
            seen_at=by.now,
        )
        for part in parts
        for problem in part.problems()
    ]
    for start in range(0, len(rows), 500):
        IngestProblem.objects.bulk_create(rows[start : start + 500], ignore_conflicts=True)
    _bring_back([part for part in parts if not part.is_same], by)
    return len(rows)


def _bring_back(parts: Sequence[FilePart], by: Collector) -> None:
    """A problem that was dismissed counts again when its file has changed and still has it."""
    told = {
        (problem.path or part.path, problem.line, problem.reason)
        for part in parts
        for problem in part.problems()
    }
    for paths in in_groups(path for path, _, _ in told):
        rows = IngestProblem.objects.filter(
            collector=by.user, path__in=paths, dismissed_at__isnull=False
        ).values_list("pk", "path", "line", "reason")
        again = [pk for pk, *name in rows if tuple(name) in told]
        IngestProblem.objects.filter(pk__in=again).update(dismissed_at=None, seen_at=by.now)


def _forget_old(parts: Sequence[FilePart], by: Collector, owners: Mapping[str, int]) -> None:
    """What is read now tells its problems now; those that it told before are stale."""
    open_ones = IngestProblem.objects.filter(
        collector=by.user, dismissed_at=None, seen_at__lt=by.since
    )
    listed: set[Listed] = set()
    for paths in in_groups(state.path for part in parts for state in part.files):
        sessions = {owners[path] for path in paths if path in owners}
        rows = open_ones.filter(Q(path__in=paths) | Q(session__in=sessions))
        listed.update(map(Listed._make, rows.values_list(*Listed._fields)))
    if listed:
        stale = {item.pk for part in parts for item in listed if _is_stale(item, part, owners)}
        IngestProblem.objects.filter(pk__in=stale).delete()


def _is_stale(item: Listed, part: FilePart, owners: Mapping[str, int]) -> bool:
    is_anew = part.rewritten or any(session.replace for session in part.sessions)
    if item.path == part.path and (is_anew or item.line == 0):
        return True
    if not part.is_last or part.failure or item.line:
        return False
    # The small files of a session are all looked at in its last part.
    is_companion = any(state.path == item.path for state in part.files)
    is_of_session = item.session is not None and item.session == owners.get(part.path)
    return is_companion or (is_of_session and item.source == part.source)
