"""Show everything that is known of one session."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from rich.table import Table
from rich.text import Text

from sessions_app.agents.resume import resume_command
from sessions_app.exports.session_json import session_json
from sessions_app.management import terminal
from sessions_app.management.people import viewer_named
from sessions_app.management.session_facts import session_facts
from sessions_app.models import AgentSession, User
from sessions_app.queries.access import SHORTEST_PREFIX, AmbiguousId, session_or_404


class Command(BaseCommand):
    help = "Show one session; ID is its beginning, at least 4 characters of it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", metavar="ID")
        parser.add_argument("--user", help="only if this person may see it; default: any session")
        parser.add_argument("--json", action="store_true", help="facts for programs")

    def handle(self, *, id: str, user: str | None, json: bool, **options: Any) -> None:
        viewer = viewer_named(user)
        session = _find(viewer, id)
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


def _find(viewer: User, typed: str) -> AgentSession:
    try:
        return session_or_404(viewer, typed)
    except AmbiguousId as error:
        sentence = _("“%(typed)s” is the start of several sessions: %(ids)s.")
        words = {"typed": terminal.one_line(typed), "ids": ", ".join(error.choices)}
        raise CommandError(sentence % words, returncode=2) from error
    except Http404 as error:
        sentence = _(
            "There is no session “%(typed)s”: give at least %(least)d characters of its id."
        )
        told = {"typed": terminal.one_line(typed), "least": SHORTEST_PREFIX}
        raise CommandError(sentence % told, returncode=2) from error


def _table(rows: list[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2), pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in rows:
        table.add_row(label, Text(text))
    return table
