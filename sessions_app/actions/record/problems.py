"""What could not be read, listed once and taken off the list when it reads well again."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q

from sessions_app import border
from sessions_app.actions.bulk import in_groups
from sessions_app.actions.prepared import FilePart
from sessions_app.actions.record.batch import Collector
from sessions_app.models import IngestProblem


def record(parts: Sequence[FilePart], by: Collector, owners: dict[str, int]) -> int:
    """Write the problems of these parts; answers how many there are."""
    _forget_old(parts, by)
    rows = []
    for part in parts:
        path = part.files[0].path if part.files else ""
        told = [problem for item in part.sessions for problem in item.record.problems]
        for problem in told:
            rows.append((problem.path or path, problem.line, problem.reason, problem.sample, part))
        if part.failure:
            rows.append((path, 0, part.failure, "", part))
    IngestProblem.objects.bulk_create(
        [
            IngestProblem(
                collector=by.user,
                source=part.source,
                path=border.clean_text(path, 2000),
                line=line,
                reason=border.clean_line(reason, 300),
                sample=border.clean_line(sample, 200),
                session_id=owners.get(part.files[0].path if part.files else ""),
                seen_at=by.now,
            )
            for path, line, reason, sample, part in rows
        ],
        ignore_conflicts=True,
    )
    return len(rows)


def _forget_old(parts: Sequence[FilePart], by: Collector) -> None:
    """A file that is read from its start tells its problems anew; its old ones are stale."""
    fresh = [
        state.path
        for part in parts
        for state in part.files
        if part.rewritten or (not part.failure and state.main_path)
    ]
    fresh += [part.files[0].path for part in parts if part.files and not part.failure]
    whole_file = Q(line=0)
    rewritten = {part.files[0].path for part in parts if part.rewritten and part.files}
    for paths in in_groups(fresh):
        IngestProblem.objects.filter(
            Q(path__in=[path for path in paths if path in rewritten]) | whole_file,
            collector=by.user, path__in=paths, dismissed_at=None,
        ).delete()  # fmt: skip
