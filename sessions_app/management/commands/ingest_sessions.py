"""Read the sessions that agents left on disk."""

from __future__ import annotations

import signal
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from sessions_app.agents import AGENTS
from sessions_app.ingest.report import Report
from sessions_app.ingest.run import Wish, ingest
from sessions_app.ingest.watch import Watch
from sessions_app.management.ingest_report import tell
from sessions_app.management.people import owner_named, project_named

MINUTE = 60.0


class Command(BaseCommand):
    """See `help`."""

    # Checks of the pages import all of them and the API: twice the time of the command itself.
    requires_system_checks = []

    help = "Read the sessions that agents left on disk; without PATH in every agent's known homes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options of the contract."""
        parser.add_argument("paths", nargs="*", type=Path, metavar="PATH")
        names = [agent.name for agent in AGENTS]
        parser.add_argument("--source", action="append", choices=names, help="only this source")
        parser.add_argument("--owner", help="whose sessions they are; default: the first admin")
        parser.add_argument("--project", help="put every new session into this project")
        parser.add_argument("--jobs", type=int, help="parser processes; 0 = none beside this one")
        parser.add_argument("--watch", action="store_true", help="go on: read whatever changes")
        parser.add_argument("--full", action="store_true", help="read unchanged files anew")
        parser.add_argument("--dry-run", action="store_true", help="read, but store nothing")
        parser.add_argument("--json", action="store_true", help="facts for programs")
        parser.add_argument("--strict", action="store_true", help="exit 1 if anything was skipped")
        parser.add_argument("--quiet", action="store_true", help="say nothing when nothing is new")

    def handle(self, *args: Any, **options: Any) -> None:
        """Parse options, call, print."""
        paths = [self._path(path) for path in options["paths"]] or None
        if options["jobs"] is not None and options["jobs"] < 0:
            raise CommandError("--jobs must be 0 or more", returncode=2)
        if options["watch"] and (options["dry_run"] or options["full"]):
            raise CommandError("--watch goes neither with --dry-run nor with --full", returncode=2)
        wish = Wish(
            owner=owner_named(options["owner"]),
            home=Path.home(),
            paths=paths,
            sources=set(options["source"]) if options["source"] else None,
            project=project_named(options["project"]),
            jobs=options["jobs"],
            full=options["full"],
            dry_run=options["dry_run"],
        )
        show = not options["json"] and sys.stderr.isatty()
        try:
            if options["watch"]:
                self._watch(wish, as_json=options["json"])
            report = self._run(wish, show=show)
        except KeyboardInterrupt:
            self.stderr.write("Stopped. What was read is stored; the next run goes on from there.")
            sys.exit(130)
        tell(report, self.stdout, as_json=options["json"], quiet=options["quiet"])
        if options["strict"] and (report.failed or report.problem_count):
            sys.exit(1)

    def _watch(self, wish: Wish, *, as_json: bool) -> NoReturn:
        """Until a signal comes. Each reading is one sentence, or one line of JSON."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        watch = Watch(wish, self.stderr.write, settings.SESSIONS_INGEST_SECONDS or 30)
        try:
            while True:
                report = watch.step(MINUTE)
                if report is not None:
                    tell(report, self.stdout, as_json=as_json, quiet=True)
                    # A connection that idles for long may be dead by then.
                    connections.close_all()
        finally:
            watch.close()

    def _path(self, path: Path) -> Path:
        """As the known homes name it, so that a file has one name whatever was typed."""
        try:
            return path.resolve(strict=True)
        except (OSError, ValueError) as error:
            raise CommandError(f"{path} does not exist", returncode=2) from error

    def _run(self, wish: Wish, *, show: bool) -> Report:
        if not show:
            return ingest(wish)
        columns = (
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
        )  # fmt: skip
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("Reading", total=None)
            return ingest(
                wish, lambda _, done, total: bar.update(task, completed=done, total=total)
            )
