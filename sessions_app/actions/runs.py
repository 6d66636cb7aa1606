"""The record of ingest runs; a run that finds nothing new leaves no row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sessions_app.actions.transaction import write_transaction
from sessions_app.models import IngestRun


def end_cut_off_runs(host: str) -> None:
    """Runs of this host that were killed count as stopped; only the one run at work calls this."""
    cut_off = IngestRun.objects.filter(host=host, status=IngestRun.Status.RUNNING)
    if cut_off.exists():
        with write_transaction():
            cut_off.update(status=IngestRun.Status.STOPPED, ended_at=datetime.now(UTC))


def start_run(host: str, files_todo: int, bytes_todo: int, roots: Sequence[str]) -> IngestRun:
    """A running run."""
    now = datetime.now(UTC)
    with write_transaction():
        return IngestRun.objects.create(
            status=IngestRun.Status.RUNNING, host=host, started_at=now, heartbeat_at=now,
            files_todo=files_todo, bytes_todo=bytes_todo, roots=list(roots),
        )  # fmt: skip


def update_run(run: IngestRun, counts: Mapping[str, int]) -> None:
    """Show how far it is."""
    with write_transaction():
        IngestRun.objects.filter(pk=run.pk).update(heartbeat_at=datetime.now(UTC), **counts)


def finish_run(run: IngestRun, counts: Mapping[str, int], *, stopped: bool) -> None:
    """Close it with its final counts."""
    now = datetime.now(UTC)
    status = IngestRun.Status.STOPPED if stopped else IngestRun.Status.DONE
    with write_transaction():
        IngestRun.objects.filter(pk=run.pk).update(
            status=status, heartbeat_at=now, ended_at=now, **counts
        )
