"""One run of the ingest: find what changed, read it beside the writer, store it."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import connection

from sessions_app.actions.record import Collector, store
from sessions_app.actions.runs import end_cut_off_runs, finish_run, start_run, update_run
from sessions_app.actions.transaction import write_transaction
from sessions_app.agents.folders import Excluded
from sessions_app.ingest.asked import give_back
from sessions_app.ingest.changes import changed_units, known_files, load_states
from sessions_app.ingest.discover import Found, find_units
from sessions_app.ingest.exclude import at_home, matcher
from sessions_app.ingest.parallel import WORTH_A_PROCESS, read_batches
from sessions_app.ingest.reading import Unit
from sessions_app.ingest.remotes import remote_url
from sessions_app.ingest.report import Report
from sessions_app.ingest.settle import settle
from sessions_app.ingest.worker import Batch, fewer_collections
from sessions_app.models import ExcludeRule, IngestRun, Project, User

CHECKPOINT = 128 * 1024 * 1024  # bytes: while loading, the log is folded in so seldom
Progress = Callable[[Report, int, int], None]  # report, bytes done, bytes in all


class IngestBusy(Exception):
    """Another run is at work in this data folder."""


class LookAtAll(Exception):
    """More files than those that were named have a say in what has changed."""


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
    # Files that somebody sent: nothing on this machine says more about them.
    is_upload: bool = False
    # Instead of looking for files: these, found before, of which one may have changed.
    only: list[Found] | None = None


def ingest(wish: Wish, progress: Progress | None = None) -> Report:
    """Read what is new and store it. Raises IngestBusy when not to wait for another run.

    KeyboardInterrupt leaves a consistent state: what was stored is stored with its position.
    """
    report, started = Report(), time.monotonic()
    wish = replace(wish, host=wish.host or socket.gethostname())
    # What was sent lies in a folder of its own: nobody else reads it.
    with nullcontext() if wish.is_upload else only_one(wait=wish.wait):
        if not wish.dry_run:
            end_cut_off_runs(wish.host)
        units = _changed(wish, report)
        try:
            if units:
                _read(wish, units, report, progress)
        finally:
            report.seconds = time.monotonic() - started
        if not wish.dry_run and not wish.is_upload and wish.only is None:
            _give_back(wish, units, report)
            settle(wish.owner, wish.home, datetime.now(UTC))
            checked_path().touch()
    report.seconds = time.monotonic() - started
    return report


def _give_back(wish: Wish, units: list[Unit], report: Report) -> None:
    if not wish.full or wish.paths is None:
        return
    report.restored, problems = give_back(
        units, collector=wish.owner, host=wish.host, now=datetime.now(UTC)
    )
    report.problems += problems
    report.problem_count += len(problems)


def checked_path() -> Path:
    """A file whose time says when the ingest last looked; an idle run writes no row."""
    return Path(settings.SESSIONS_DATA_DIR) / "ingest-checked"


@contextmanager
def only_one(*, wait: bool) -> Iterator[None]:
    """Of all that read files or raw bytes into the store one at a time."""
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
    rules = ExcludeRule.objects.values_list("pattern", flat=True)
    patterns = [at_home(pattern, wish.home) for pattern in rules]
    excluded = matcher(patterns)
    if wish.only is not None:
        units = _changed_of(wish, report, wish.only, excluded)
    else:
        found = find_units(wish.paths, wish.home, wish.sources, report.problems, excluded)
        known = known_files(wish.owner, wish.host)
        units = changed_units(found, known, report, full=wish.full)
    for unit in units:
        unit.excluded = patterns
    report.problem_count = len(report.problems)
    load_states(units, wish.owner, wish.host)
    return units


def _changed_of(
    wish: Wish, report: Report, only: list[Found], excluded: Excluded | None
) -> list[Unit]:
    """As `_changed`, without a look at anything else. Raises LookAtAll when that is needed."""
    here = [item for item in only if os.path.lexists(item.source.path)]
    here = [item for item in here if excluded is None or not excluded(str(item.source.path))]
    paths = [str(path) for item in here for path in (item.source.path, *item.source.companions)]
    known = known_files(wish.owner, wish.host, paths)
    units = changed_units(here, known, report)
    if any(unit.replace or unit.main.path not in known for unit in units):
        raise LookAtAll
    return units


def _read(wish: Wish, units: list[Unit], report: Report, progress: Progress | None) -> None:
    total = sum(unit.todo for unit in units)
    by = Collector(
        user=wish.owner, owner=wish.owner, host=wish.host, now=datetime.now(UTC),
        source_project=wish.project, is_sample=wish.is_sample,
        source="upload" if wish.is_upload else "",
    )  # fmt: skip
    # Lines that arrive one by one are not worth a row each.
    is_worth_telling = wish.only is None or total > WORTH_A_PROCESS
    run = None
    if is_worth_telling and not wish.dry_run:
        run = start_run(wish.host, len(units), total, _roots(units))

    def take(batch: Batch) -> None:
        _store(wish, batch, by, run, report)
        if progress is not None:
            progress(report, report.bytes, total)

    try:
        with _fewer_checkpoints(), fewer_collections():
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


def _store(wish: Wish, batch: Batch, by: Collector, run: IngestRun | None, report: Report) -> None:
    report.add_parts(batch.parts)
    if wish.dry_run:
        report.messages += sum(len(item.messages) for part in batch.parts for item in part.sessions)
        return
    by.now = datetime.now(UTC)
    if not wish.is_upload:
        _learn_remotes(batch, by)
    done = store(batch.parts, by)
    report.created |= done.created
    report.updated |= done.updated - report.created
    report.messages += done.messages
    if run is not None:
        update_run(run, _counts(report))


def _learn_remotes(batch: Batch, by: Collector) -> None:
    for part in batch.parts:
        for item in part.sessions:
            folder = item.record.work_dir
            if folder and folder not in by.remotes:
                by.remotes[folder] = remote_url(folder)


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
