"""One run of the ingest: find what changed, read it beside the writer, store it."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import connection

from sessions_app.actions.record import Collector, store
from sessions_app.actions.runs import end_cut_off_runs, finish_run, start_run, update_run
from sessions_app.actions.transaction import write_transaction
from sessions_app.ingest.changes import changed_units, known_files, load_states
from sessions_app.ingest.discover import find_units
from sessions_app.ingest.parallel import read_batches
from sessions_app.ingest.reading import Unit
from sessions_app.ingest.remotes import remote_url
from sessions_app.ingest.report import Report
from sessions_app.ingest.settle import settle
from sessions_app.ingest.worker import Batch
from sessions_app.models import IngestRun, Project, User

CHECKPOINT = 32 * 1024 * 1024  # bytes: while loading, the log is folded in so seldom
Progress = Callable[[Report, int, int], None]  # report, bytes done, bytes in all


class IngestBusy(Exception):
    """Another run is at work in this data folder."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to ingest and how. `paths` None = the known homes of every agent below `home`."""

    owner: User
    home: Path
    paths: list[Path] | None = None
    sources: set[str] | None = None
    project: Project | None = None
    jobs: int | None = None
    full: bool = False
    dry_run: bool = False
    is_sample: bool = False
    host: str = ""
    wait: bool = True


def ingest(wish: Wish, progress: Progress | None = None) -> Report:
    """Read what is new and store it. Raises IngestBusy when not to wait for another run.

    KeyboardInterrupt leaves a consistent state: what was stored is stored with its position.
    """
    report, started = Report(), time.monotonic()
    wish = replace(wish, host=wish.host or socket.gethostname())
    with _only_one(wait=wish.wait):
        if not wish.dry_run:
            end_cut_off_runs(wish.host)
        units = _changed(wish, report)
        try:
            if units:
                _read(wish, units, report, progress)
        finally:
            report.seconds = time.monotonic() - started
        if not wish.dry_run:
            settle(wish.owner, wish.home, datetime.now(UTC))
            checked_path().touch()
    report.seconds = time.monotonic() - started
    return report


def checked_path() -> Path:
    """A file whose time says when the ingest last looked; an idle run writes no row."""
    return Path(settings.SESSIONS_DATA_DIR) / "ingest-checked"


@contextmanager
def _only_one(*, wait: bool) -> Iterator[None]:
    handle = os.open(
        Path(settings.SESSIONS_DATA_DIR) / "ingest.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    )
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise IngestBusy from error
        yield
    finally:
        os.close(handle)


def _changed(wish: Wish, report: Report) -> list[Unit]:
    found = find_units(wish.paths, wish.home, wish.sources, report.problems)
    units = changed_units(found, known_files(wish.owner, wish.host), report, full=wish.full)
    report.problem_count = len(report.problems)
    load_states(units, wish.owner, wish.host)
    return units


def _read(wish: Wish, units: list[Unit], report: Report, progress: Progress | None) -> None:
    total = sum(unit.todo for unit in units)
    by = Collector(
        user=wish.owner, owner=wish.owner, host=wish.host, now=datetime.now(UTC),
        source_project=wish.project, is_sample=wish.is_sample,
    )  # fmt: skip
    run = None if wish.dry_run else start_run(wish.host, len(units), total, _roots(units))

    def take(batch: Batch) -> None:
        _store(batch, by, run, report)
        if progress is not None:
            progress(report, report.bytes, total)

    try:
        with _fewer_checkpoints():
            _in_transactions(read_batches(units, jobs=wish.jobs, total=total), take)
    except BaseException:
        report.stopped = True
        raise
    finally:
        if run is not None:
            finish_run(run, _counts(report), stopped=report.stopped)


def _in_transactions(batches: Iterator[Batch], take: Callable[[Batch], None]) -> None:
    """Every batch in a transaction of its own, those that replace one conversation in one.

    Who stops in the middle of a replacement leaves the conversation as it was.
    """
    for batch in batches:
        path = batch.replacing()
        if not path:
            take(batch)
            continue
        with write_transaction():
            take(batch)
            for more in batches:
                take(more)
                path = more.replacing(path)
                if not path:
                    break


def _store(batch: Batch, by: Collector, run: IngestRun | None, report: Report) -> None:
    report.add_parts(batch.parts)
    if run is None:
        report.messages += sum(len(item.messages) for part in batch.parts for item in part.sessions)
        return
    by.now = datetime.now(UTC)
    for part in batch.parts:
        for item in part.sessions:
            folder = item.record.work_dir
            if folder and folder not in by.remotes:
                by.remotes[folder] = remote_url(folder)
    done = store(batch.parts, by)
    report.created |= done.created
    report.updated |= done.updated - report.created
    report.messages += done.messages
    update_run(run, _counts(report))


def _counts(report: Report) -> dict[str, int]:
    return {
        "files_seen": report.seen,
        "files_unchanged": report.unchanged,
        "files_parsed": report.parsed,
        "files_failed": report.failed,
        "sessions_created": len(report.created),
        "sessions_updated": len(report.updated),
        "messages": report.messages,
        "bytes": report.bytes,
    }


def _roots(units: list[Unit]) -> list[str]:
    return sorted({unit.root for unit in units if unit.root})[:50]


@contextmanager
def _fewer_checkpoints() -> Iterator[None]:
    """Fold SQLite's log in seldom while loading; nothing is less durable for it."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        page_size = cursor.execute("PRAGMA page_size").fetchone()[0]
        usual = cursor.execute("PRAGMA wal_autocheckpoint").fetchone()[0]
        cursor.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT // page_size}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA wal_autocheckpoint = {usual}")
            cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
