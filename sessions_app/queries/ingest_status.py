"""What was read, when, and what could not be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Q, Sum
from django.db.models.functions import Length

from sessions_app.models import IngestProblem, IngestRun, RawPart, User
from sessions_app.queries.access import files_of, problems_of

RUNS_SHOWN = 10
PROBLEMS_SHOWN = 25


@dataclass(slots=True)
class SourceTotals:
    source: str
    files: int
    failed: int
    sessions: int
    raw_bytes: int
    last_read_at: datetime
    stored_bytes: int = 0  # as kept: compressed


@dataclass(slots=True)
class ProblemPage:
    items: list[IngestProblem]
    next: int | None  # ids below this one are on the next page
    sources: list[str]  # that have any
    total: int


def source_totals(user: User) -> dict[str, SourceTotals]:
    files = files_of(user)
    rows = files.order_by().values("source").annotate(
        files=Count("pk", filter=Q(main_path="")),
        failed=Count("pk", filter=Q(failed=True)),
        sessions=Count("session", distinct=True),
        raw_bytes=Sum("raw_size"),
        last_read_at=Max("last_read_at"),
    )  # fmt: skip
    totals = {row["source"]: SourceTotals(**row) for row in rows}
    stored = (
        RawPart.objects.filter(file__in=files)
        .order_by()
        .values("file__source")
        .annotate(stored=Sum(Length("chunk__data")))
        .values_list("file__source", "stored")
    )
    for source, count in stored:
        totals[source].stored_bytes = count
    return totals


def latest_runs() -> list[IngestRun]:
    return list(IngestRun.objects.order_by("-pk")[:RUNS_SHOWN])


def here(user: User, problems: Iterable[IngestProblem], host: str) -> set[str]:
    """Paths of those problems whose files this machine has read."""
    paths = {problem.path for problem in problems}
    return set(files_of(user).filter(host=host, path__in=paths).values_list("path", flat=True))


def problem_page(user: User, *, source: str = "", before: int | None = None) -> ProblemPage:
    """The newest first; `before` continues."""
    everything = problems_of(user)
    counts = dict(
        everything.order_by().values("source").annotate(n=Count("pk")).values_list("source", "n")
    )
    wanted = everything.filter(source=source) if source else everything
    here = wanted.filter(pk__lt=before) if before is not None else wanted
    found = list(here.select_related("session").order_by("-pk")[: PROBLEMS_SHOWN + 1])
    shown = found[:PROBLEMS_SHOWN]
    return ProblemPage(
        items=shown,
        next=shown[-1].pk if len(found) > PROBLEMS_SHOWN else None,
        sources=sorted(name for name in counts if name),
        total=counts.get(source, 0) if source else sum(counts.values()),
    )
