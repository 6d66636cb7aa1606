"""Find the sessions that stopped without saying so."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from sessions_app.actions.heartbeat import mark_silent
from sessions_app.ingest.settle import settle
from sessions_app.management.people import owner_named


class Command(BaseCommand):
    """See `help`."""

    # Checks of the pages import all of them and the API: twice the time of the command itself.
    requires_system_checks = []

    # The scheduler tells since when this server hears heartbeats at all.
    stealth_options = ("listening_since",)
    help = "Mark sessions whose agent died or fell silent in the middle of a turn (for cron)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options."""
        parser.add_argument("--json", action="store_true", help="facts for programs")
        parser.add_argument("--quiet", action="store_true", help="say nothing when nothing changed")

    def handle(self, *args: Any, **options: Any) -> None:
        """Parse options, call, print."""
        now = datetime.now(UTC)
        changed = mark_silent(now, listening_since=options.get("listening_since"))
        changed += settle(owner_named(None), Path.home(), now)
        if options["json"]:
            self.stdout.write(json.dumps({"changed": changed}))
        elif changed or not options["quiet"]:
            self.stdout.write(f"{changed} sessions changed their status.")
