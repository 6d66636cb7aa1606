"""List sessions, as the list page does."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _
from rich.table import Table
from rich.text import Text

from sessions_app import figures
from sessions_app.agents.resume import resume_command
from sessions_app.exports.session_json import sessions_json
from sessions_app.management import terminal
from sessions_app.management.people import viewer_named
from sessions_app.models import AgentSession, User
from sessions_app.queries.filters import FILTERS
from sessions_app.queries.lists import DEFAULT_LIMIT, DEFAULT_SORT, MOST, SORTS, list_sessions

OTHERS = ("tag_mode", "sort", "cursor")
STATUS_STYLES = {
    "active": "green",
    "paused": "yellow",
    "completed": "blue",
    "error": "red",
    "crashed": "bold red",
    "expired": "dim",
}


class Command(BaseCommand):
    # Checks of the pages import all of them and the API: twice the time of the command itself.
    requires_system_checks = []
    help = "List sessions, the latest first; the filters are those of the list page."

    def add_arguments(self, parser: CommandParser) -> None:
        for item in FILTERS:
            parser.add_argument(
                f"--{item.name}", action="append", metavar="VALUE", help=str(item.label)
            )
        parser.add_argument("--tag-mode", choices=("all", "any"), help="with several --tag")
        orders = ", ".join(SORTS)
        parser.add_argument("--sort", help=f"{orders}; - in front turns it: {DEFAULT_SORT}")
        parser.add_argument("--cursor", help="where to go on: “next” of an earlier --json")
        parser.add_argument("--limit", type=int, default=DEFAULT_LIMIT, help="sessions at most")
        parser.add_argument("--user", help="only what this person may see; default: everything")
        parser.add_argument("--json", action="store_true", help="facts for programs")

    def handle(self, *, limit: int, user: str | None, json: bool, **options: Any) -> None:
        if limit < 1:
            raise CommandError(_("--limit must be at least 1."), returncode=2)
        viewer, now = viewer_named(user), timezone.now()
        names = (*(item.name for item in FILTERS), *OTHERS)
        params = {name: options[name] for name in names if options[name]}
        sessions, cursor = _read(viewer, params, limit, now)
        if json:
            items = sessions_json(sessions, viewer=viewer, resume_command=resume_command)
            self.stdout.write(terminal.as_json({"items": items, "next": cursor}))
        elif self.stdout.isatty():
            self._draw(sessions, now, more=bool(cursor), color=not options["no_color"])
        else:
            rows = [_headings(), *(_row(session, now) for session in sessions)]
            self.stdout.write(terminal.columns(rows))

    def _draw(
        self, sessions: list[AgentSession], now: datetime, *, more: bool, color: bool
    ) -> None:
        if not sessions:
            self.stdout.write(_("No session matches."))
            return
        self.stdout.write(terminal.drawn(_table(sessions, now), color=color))
        if more:
            self.stdout.write(_("There are more: --limit shows them."))


def _read(
    viewer: User, params: dict[str, Any], limit: int, now: datetime
) -> tuple[list[AgentSession], str | None]:
    """Up to `limit` sessions, page by page, and where to go on."""
    found: list[AgentSession] = []
    while True:
        size = str(min(limit - len(found), MOST))
        page = list_sessions(viewer, {**params, "limit": size}, now=now, whole=True)
        if page.errors:
            raise CommandError(terminal.one_line(" ".join(page.errors)), returncode=2)
        found += page.items
        if page.next is None or len(found) >= limit:
            return found, page.next
        params = {**params, "cursor": page.next}


def _headings() -> tuple[str, ...]:
    names = (_("ID"), _("BACKEND"), _("STATUS"), _("LAST USED"), _("TOKENS"), _("TITLE/PROMPT"))
    return names


def _row(session: AgentSession, now: datetime) -> tuple[str, ...]:
    return (
        session.short_id,
        terminal.one_line(session.backend),
        session.get_status_display(),
        figures.ago(session.last_active, now),
        figures.grouped(session.total_tokens),
        terminal.one_line(session.title or session.prompt or session.name or ""),
    )


def _table(sessions: list[AgentSession], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for heading in _headings():
        is_last, is_number = heading == _("TITLE/PROMPT"), heading == _("TOKENS")
        table.add_column(
            heading,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if is_number else "left",
            ratio=1 if is_last else None,
        )
    for session in sessions:
        short_id, backend, status, used, tokens, title = _row(session, now)
        styled = Text(status, STATUS_STYLES.get(session.status, ""))
        table.add_row(Text(short_id, "cyan"), Text(backend), styled, used, tokens, Text(title))
    return table
