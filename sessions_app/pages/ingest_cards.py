"""The parts of the ingest page, computed from what the queries found."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.utils.translation import gettext as _

from sessions_app import figures
from sessions_app.agents import AGENTS
from sessions_app.ingest.run import checked_path
from sessions_app.ingest.upload import is_sent, sent_name
from sessions_app.models import IngestProblem, IngestRun
from sessions_app.pages.shell import MANAGE
from sessions_app.queries.ingest_status import SourceTotals

SILENCE = timedelta(minutes=2)  # a run that says nothing for so long was cut off


@dataclass(frozen=True, slots=True)
class Home:
    path: str
    exists: bool


@dataclass(frozen=True, slots=True)
class Source:
    name: str
    label: str
    homes: list[Home]
    totals: SourceTotals | None
    raw: str
    stored: str
    is_here: bool  # has a folder, or something was read


@dataclass(frozen=True, slots=True)
class Run:
    run: IngestRun
    seconds: str
    size: str
    percent: int | None  # of a running one
    is_silent: bool


@dataclass(frozen=True, slots=True)
class ProblemRow:
    problem: IngestProblem
    path: str
    place: str
    command: str  # of whoever has the file
    is_here: bool
    is_sent: bool


def sources(totals: dict[str, SourceTotals], home: Path) -> list[Source]:
    """Every known agent, and whatever else sent something."""
    found = [
        _source(agent.name, agent.label, agent.homes(home), home, totals.get(agent.name))
        for agent in AGENTS
    ]
    known = {agent.name for agent in AGENTS}
    found += [_source(name, name, [], home, totals[name]) for name in sorted(totals.keys() - known)]
    return sorted(found, key=lambda source: not source.is_here)


def _source(
    name: str, label: str, folders: list[Path], home: Path, totals: SourceTotals | None
) -> Source:
    homes = [Home(_below(folder, home), folder.is_dir()) for folder in folders]
    return Source(
        name,
        label,
        homes,
        totals,
        figures.size(totals.raw_bytes) if totals else "",
        figures.size(totals.stored_bytes) if totals else "",
        is_here=totals is not None or any(folder.exists for folder in homes),
    )


def _below(folder: Path, home: Path) -> str:
    """Where this server's home is need not be known to everybody."""
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)


def runs(found: list[IngestRun], now: datetime) -> list[Run]:
    return [_run(run, now) for run in found]


def _run(run: IngestRun, now: datetime) -> Run:
    running = run.status == IngestRun.Status.RUNNING
    percent = min(run.bytes * 100 // max(run.bytes_todo, 1), 100) if running else None
    return Run(
        run,
        figures.duration(((run.ended_at or now) - run.started_at).total_seconds()),
        figures.size(run.bytes),
        percent,
        is_silent=running and now - run.heartbeat_at > SILENCE,
    )


def checked_at() -> datetime | None:
    """When the ingest last looked; a look that finds nothing new leaves no run."""
    try:
        return datetime.fromtimestamp(checked_path().stat().st_mtime, UTC)
    except OSError:
        return None


def problems(found: list[IngestProblem], here: set[str]) -> list[ProblemRow]:
    return [
        ProblemRow(
            problem,
            sent_name(problem.path),
            _("line %(line)s") % {"line": figures.grouped(problem.line)} if problem.line else "",
            f"{MANAGE} ingest_sessions --full {shlex.quote(problem.path)}",
            problem.path in here,
            is_sent(problem.path),
        )
        for problem in found
    ]
