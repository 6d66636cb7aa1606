"""Everything that is known of a session, as labelled lines in groups."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from sessions_app import figures
from sessions_app.models import AgentSession
from sessions_app.pages.markup.characters import label, one_line

LONGEST_FACT = 1_000


class Fact(NamedTuple):
    """One line of the details: a label and what stands behind it."""

    label: str
    text: str = ""
    title: str = ""
    url: str = ""
    is_code: bool = False
    copies: bool = False
    moment: datetime | None = None


class FactGroup(NamedTuple):
    """Facts that belong together."""

    label: str
    facts: list[Fact]


def groups(session: AgentSession) -> list[FactGroup]:
    """Everything that is known, in groups, without what is not told."""
    found = [
        FactGroup(_("Agent"), _agent_facts(session)),
        FactGroup(_("Place"), _place_facts(session)),
        FactGroup(_("Access"), _access_facts(session)),
        FactGroup(_("Time"), _time_facts(session)),
        FactGroup(_("Tokens and cost"), _token_facts(session)),
    ]
    return [
        FactGroup(name, kept)
        for name, facts in found
        if (kept := [_safe(fact) for fact in facts if fact.text or fact.moment])
    ]


def duration(session: AgentSession) -> tuple[str, str]:
    """(shown, on hover): as the agent told it, else from the first to the last sign of life."""
    if session.duration_seconds is not None:
        return figures.duration(session.duration_seconds), _("as told by the agent")
    seconds = (session.last_active - session.created_at).total_seconds()
    return figures.duration(seconds), _("from the first to the last message")


def _safe(fact: Fact) -> Fact:
    return fact._replace(text=one_line(fact.text, LONGEST_FACT), title=label(fact.title))


def _agent_facts(session: AgentSession) -> list[Fact]:
    models = session.models_used or ([session.model] if session.model else [])
    return [
        Fact(_("Session id"), session.short_id, is_code=True, copies=True),
        Fact(_("Name"), session.name or ""),
        Fact(_("Backend"), session.backend, url=listed(backend=session.backend)),
        Fact(_("Backend's id"), session.backend_session_id, is_code=True, copies=True),
        Fact(_("Source"), session.source),
        Fact(_("Kind"), "" if session.kind == "main" else str(session.get_kind_display())),
        Fact(_("Model") if len(models) < 2 else _("Models"), ", ".join(models)),
        Fact(_("Agent version"), session.agent_version),
    ]


def _place_facts(session: AgentSession) -> list[Fact]:
    project = session.project
    return [
        Fact(
            _("Project"),
            project.name if project else "",
            title=project.key if project else "",
            url=listed(project=project.key) if project else "",
        ),
        Fact(_("Work folder"), session.work_dir, is_code=True, copies=True),
        Fact(_("Branch"), session.git_branch, is_code=True),
        Fact(_("Repository"), session.repository_url, is_code=True),
        Fact(_("Host"), session.host, url=listed(host=session.host)),
    ]


def _access_facts(session: AgentSession) -> list[Fact]:
    return [
        Fact(_("Owner"), str(session.owner)),
        Fact(_("Visible to"), str(session.get_visibility_display())),
        Fact(_("Protected"), _("yes") if session.is_protected else ""),
    ]


def _time_facts(session: AgentSession) -> list[Fact]:
    return [
        Fact(_("Created"), moment=session.created_at),
        Fact(_("Last active"), moment=session.last_active),
        Fact(_("Ended"), moment=session.ended_at),
        Fact(_("First read"), moment=session.received_at),
        Fact(_("Duration"), *duration(session)),
        Fact(_("Exit code"), "" if session.exit_code is None else str(session.exit_code)),
        Fact(_("Size on disk"), figures.size(session.size_bytes) if session.size_bytes else ""),
    ]


def _token_facts(session: AgentSession) -> list[Fact]:
    if not session.total_tokens and not session.cost:
        is_kept = settings.SESSIONS_STORE_TOKEN_USAGE
        return [] if is_kept else [Fact(_("Total"), figures.no_usage())]
    cost = figures.cost(
        session.cost, unpriced=session.unpriced_responses, tokens=session.total_tokens
    )
    grouped = figures.grouped
    inherited = grouped(session.inherited_tokens) if session.inherited_tokens else ""
    return [
        Fact(_("Input"), grouped(session.input_tokens)),
        Fact(_("Output"), grouped(session.output_tokens)),
        Fact(_("of it reasoning"), grouped(session.reasoning_tokens)),
        Fact(_("Cache read"), grouped(session.cache_read_tokens)),
        Fact(_("Cache write"), grouped(session.cache_write_tokens)),
        Fact(_("Total"), grouped(session.total_tokens)),
        Fact(_("of it inherited"), inherited, title=_("Copied history: another session owns it")),
        Fact(_("Cost"), cost.text, cost.title),
        Fact(_("of it recorded"), _money(session, "recorded")),
        Fact(_("of it estimated"), _money(session, "estimated")),
    ]


def _money(session: AgentSession, kind: str) -> str:
    amount = session.recorded_cost if kind == "recorded" else session.estimated_cost
    return figures.dollars(amount) if amount else ""


def listed(**filters: str) -> str:
    """The list of what shares a value; nothing for an unknown value."""
    if not all(filters.values()):
        return ""
    return f"{reverse('session_list')}?{urlencode(filters)}"
