"""Which sessions a command is about: ids as typed, or the filters of the list page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from sessions_app.management import terminal
from sessions_app.models import AgentSession, User
from sessions_app.queries.access import SHORTEST_PREFIX, AmbiguousId, session_or_404
from sessions_app.queries.filters import FILTERS
from sessions_app.queries.lists import MOST, list_sessions


def add_filters(parser: CommandParser) -> None:
    """The filters of the list page as options."""
    for item in FILTERS:
        parser.add_argument(
            f"--{item.name}", action="append", metavar="VALUE", help=str(item.label)
        )
    parser.add_argument("--tag-mode", choices=("all", "any"), help="with several --tag")


def session_named(viewer: User, typed: str) -> AgentSession:
    """The session with this id or start of an id. Raises CommandError (exit 2)."""
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


def chosen(viewer: User, ids: Sequence[str], options: Mapping[str, Any]) -> list[AgentSession]:
    """The named sessions, or all that match the filters, the latest first."""
    names = (*(item.name for item in FILTERS), "tag_mode")
    params = {name: options[name] for name in names if options.get(name)}
    if ids:
        if params:
            raise CommandError(_("Give ids or filters, not both."), returncode=2)
        named = (session_named(viewer, typed) for typed in ids)
        return list({session.pk: session for session in named}.values())
    return list(_matching(viewer, params))


def _matching(viewer: User, params: dict[str, Any]) -> Iterator[AgentSession]:
    now = timezone.now()
    cursor: str | None = ""
    while cursor is not None:
        asked = {**params, "limit": str(MOST)} | ({"cursor": cursor} if cursor else {})
        page = list_sessions(viewer, asked, now=now, whole=True)
        if page.errors:
            raise CommandError(terminal.one_line(" ".join(page.errors)), returncode=2)
        yield from page.items
        cursor = page.next
