"""Sessions as rows of a list: everything computed here, so that templates only show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _

from sessions_app import figures
from sessions_app.models import AgentSession

TAGS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    url: str
    title: str
    hint: str  # on hover: the title whole, and the prompt where it says more
    status: str
    status_label: str
    backend: str
    model: str
    project: str
    owner: str
    tags: list[str]
    more_tags: str
    is_fork: bool
    is_sample: bool
    is_subagent: bool
    subagents: str
    tokens: str
    exact_tokens: str
    cost: figures.Cost
    last_active: str
    iso: str
    exact_time: str


def rows(sessions: Iterable[AgentSession], now: datetime) -> list[Row]:
    # One lookup of the address: reverse() for each row would cost more than the row itself.
    base = reverse("session_list")
    return [_row(session, f"{base}{session.short_id}/", now) for session in sessions]


def _row(session: AgentSession, url: str, now: datetime) -> Row:
    title = session_title(session)
    tags = [tag.name for tag in session.tags.all()]
    subagents = getattr(session, "subagent_count", 0)
    return Row(
        id=session.short_id,
        url=url,
        title=title,
        hint=f"{title}\n\n{session.prompt}" if session.prompt not in ("", title) else title,
        status=session.status,
        status_label=session.get_status_display(),
        backend=session.backend,
        model=session.model,
        project=session.project.name if session.project else "",
        owner=str(session.owner),
        tags=tags[:TAGS_SHOWN],
        more_tags=", ".join(tags[TAGS_SHOWN:]),
        is_fork=getattr(session, "is_fork", False),
        is_sample=session.is_sample,
        is_subagent=session.kind == AgentSession.Kind.SUBAGENT,
        subagents=str(subagents) if subagents else "",
        tokens=figures.short(session.total_tokens) if session.total_tokens else "–",
        exact_tokens=figures.grouped(session.total_tokens),
        cost=figures.cost(
            session.cost, unpriced=session.unpriced_responses, tokens=session.total_tokens
        ),
        last_active=figures.ago(session.last_active, now),
        iso=session.last_active.isoformat(timespec="seconds"),
        exact_time=figures.exact_time(session.last_active),
    )


def session_title(session: AgentSession) -> str:
    return session.title or session.prompt or session.name or _("Untitled session")
