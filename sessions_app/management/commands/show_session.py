"""Show everything that is known of one session."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone
from rich.table import Table
from rich.text import Text

from sessions_app.agents.resume import resume_command
from sessions_app.exports.session_json import session_json
from sessions_app.management import terminal
from sessions_app.management.people import viewer_named
from sessions_app.management.selection import session_named
from sessions_app.management.session_facts import session_facts


class Command(BaseCommand):
    # Checks of the pages import all of them and the API: twice the time of the command itself.
    requires_system_checks = []
    help = "Show one session; ID is its beginning, at least 4 characters of it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", metavar="ID")
        parser.add_argument("--user", help="only if this person may see it; default: any session")
        parser.add_argument("--json", action="store_true", help="facts for programs")

    def handle(self, *, id: str, user: str | None, json: bool, **options: Any) -> None:
        viewer = viewer_named(user)
        session = session_named(viewer, id)
        told = session_json(session, viewer=viewer, resume_command=resume_command)
        if json:
            self.stdout.write(terminal.as_json(told))
            return
        facts = session_facts(session, told, timezone.now())
        rows = [(label, terminal.one_line(text)) for label, text in facts if text]
        if not self.stdout.isatty():
            self.stdout.write(terminal.columns(rows))
            return
        *above, last = rows
        self.stdout.write(terminal.drawn(_table(above), color=not options["no_color"]))
        # Not broken into lines, which would break what somebody copies.
        self.stdout.write(f"{last[0]}{terminal.GAP}{last[1]}")


def _table(rows: list[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2), pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in rows:
        table.add_row(label, Text(text))
    return table
