"""Sessions as rows of a list."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sessions_app import figures
from sessions_app.models import AgentSession
from sessions_app.queries.listed import Listed

PATTERN = "session_list/_row.html"
TAGS_SHOWN = 3
HINT_LENGTH = 200


class Row(NamedTuple):
    id: str
    url: str
    title: str
    hint: str  # on hover: the whole title, and how the prompt starts where it says more
    status: str
    status_label: str
    backend: str
    model: str
    project: str
    owner: str
    tokens: str
    exact_tokens: str
    cost: str
    exact_cost: str
    last_active: str
    iso: str
    exact_time: str


@dataclass(frozen=True, slots=True)
class Words:
    """What rows say in the reader's language: looked up once, not for each of them."""

    base: str = field(default_factory=lambda: reverse("session_list"))
    statuses: dict[str, str] = field(
        default_factory=lambda: {value: str(label) for value, label in AgentSession.Status.choices}
    )
    sample: str = field(default_factory=lambda: _("sample"))
    subagent: str = field(default_factory=lambda: _("sub-agent"))
    fork: str = field(default_factory=lambda: _("fork"))


def rows_html(found: Iterable[Listed], now: datetime) -> SafeString:
    """The rows of a table.

    The template of a row is rendered once, as a pattern that is filled for each session: fifty
    rows of twenty values take a tenth of the time that the template engine needs for them.
    """
    pattern = str.__str__(render_to_string(PATTERN))
    words = Words()
    filled = [
        pattern.format(marks=_marks(item, words), **_escaped(_row(item, words, now)))
        for item in found
    ]
    return mark_safe("".join(filled))  # every value was escaped


def _escaped(row: Row) -> dict[str, str]:
    return {name: html.escape(value) for name, value in row._asdict().items()}


def rows(found: Iterable[Listed], now: datetime) -> list[Row]:
    words = Words()
    return [_row(item, words, now) for item in found]


def _row(item: Listed, words: Words, now: datetime) -> Row:
    session = item.session
    title, prompt = session_title(session), session.prompt[:HINT_LENGTH]
    cost = figures.cost(
        session.cost, unpriced=session.unpriced_responses, tokens=session.total_tokens
    )
    return Row(
        id=session.short_id,
        url=f"{words.base}{session.short_id}/",
        title=title,
        hint=f"{title}\n\n{prompt}" if prompt and not title.startswith(prompt) else title,
        status=session.status,
        status_label=words.statuses.get(session.status, session.status),
        backend=session.backend,
        model=session.model,
        project=item.project,
        owner=item.owner,
        tokens=figures.short(session.total_tokens) if session.total_tokens else "–",
        exact_tokens=figures.grouped(session.total_tokens),
        cost=cost.text,
        exact_cost=cost.title,
        last_active=figures.ago(session.last_active, now),
        iso=session.last_active.isoformat(timespec="seconds"),
        exact_time=figures.exact_time(session.last_active),
    )


def session_title(session: AgentSession) -> str:
    return session.title or session.prompt or session.name or _("Untitled session")


def _marks(item: Listed, words: Words) -> str:
    """HTML: what kind of session it is, and its tags."""
    marks = []
    if item.session.is_sample:
        marks.append(_mark("badge", words.sample))
    if item.session.kind == AgentSession.Kind.SUBAGENT:
        marks.append(_mark("badge", words.subagent))
    if item.is_fork:
        marks.append(_mark("badge", words.fork))
    if item.subagents:
        text = ngettext("%(count)d sub-agent", "%(count)d sub-agents", item.subagents)
        marks.append(_mark("badge", text % {"count": item.subagents}))
    marks += [_mark("tag", name) for name in item.tags[:TAGS_SHOWN]]
    if len(item.tags) > TAGS_SHOWN:
        marks.append(_mark("tag", "…", ", ".join(item.tags[TAGS_SHOWN:])))
    return "".join(marks)


def _mark(kind: str, text: str, hint: str = "") -> str:
    title = f' title="{html.escape(hint)}"' if hint else ""
    return f'<span class="{kind}"{title}>{html.escape(text)}</span>'
