"""The head of a session's page: its state, its figures, and everything that is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sessions_app import figures
from sessions_app.agents import AGENTS
from sessions_app.models import AgentSession
from sessions_app.pages.markup import code, structured
from sessions_app.pages.markup.budget import Budget
from sessions_app.pages.markup.characters import label, one_line, prose
from sessions_app.pages.session_rows import session_title
from sessions_app.pages.transcript_facts import Fact, duration, groups, listed
from sessions_app.queries.transcript import Kin, SavedFile
from sessions_app.records import TURN_ABORTED, TURN_ENDED, TURN_FAILED, TURN_OPEN

LONGEST_METADATA = 20_000
# Where the sessions come from that go on without telling us first.
FOLLOWED = {agent.name for agent in AGENTS}


class Figure(NamedTuple):
    """A number in the strip below the title."""

    label: str
    text: str
    title: str = ""
    note: str = ""
    is_bad: bool = False


class Relative(NamedTuple):
    """A link to a related session."""

    label: str
    session: AgentSession
    title: str
    note: str


class NamedLink(NamedTuple):
    """A tag or an artifact."""

    text: SafeString
    url: str
    size: int = 0


def is_live(session: AgentSession) -> bool:
    """Whether more may come: of a session in an agent's own file one never knows."""
    return session.status == AgentSession.Status.ACTIVE or session.source in FOLLOWED


def state(session: AgentSession) -> dict[str, Any]:
    """What a live page shows anew: status, progress, figures."""
    progress = session.progress
    steps = session.total_steps
    words = ""
    if progress is not None:
        words = f"{progress:.0%}"
        if steps:
            done = figures.grouped(round(progress * steps))
            words = f"{done} / {figures.grouped(steps)} · {words}"
    return {
        "session": session,
        "base": base(session),
        "is_live": is_live(session),
        "evidence": evidence(session),
        "task": one_line(session.current_task, 500),
        "progress": "" if progress is None else f"{progress:.4f}",
        "progress_words": words,
        "figures": strip(session),
    }


def head(session: AgentSession) -> dict[str, Any]:
    """Everything above and beside the conversation that stands on the session's own row."""
    return state(session) | {
        "title": title_of(session),
        "about": about(session),
        "groups": groups(session),
        "description": prose(session.description),
        "error": prose(session.standing_error),
        "metadata": _metadata(session),
    }


def base(session: AgentSession) -> str:
    """The address below which everything of this session is."""
    return reverse("session_detail", args=[session.short_id])


def title_of(session: AgentSession) -> str:
    """What a session is called, without invisible characters."""
    return label(session_title(session))


def about(session: AgentSession) -> list[Fact]:
    """The few facts on the line below the title; `label` names an icon here."""
    project = session.project
    told = [
        Fact("", session.model, title=", ".join(session.models_used)),
        Fact("folder", project.name if project else "", title=project.key if project else ""),
        Fact("fork", session.git_branch),
        Fact("system", session.host),
        Fact("", str(session.owner)),
    ]
    return [
        fact._replace(text=one_line(fact.text, 80), title=label(fact.title))
        for fact in told
        if fact.text
    ]


def tag_links(names: Iterable[str]) -> list[NamedLink]:
    """The session's tags, each leading to what else carries it."""
    return [NamedLink(one_line(name, 60), listed(tag=name)) for name in names]


def file_links(files: Iterable[SavedFile]) -> list[NamedLink]:
    """Artifacts by their names; `url` is only the end of the address."""
    return [NamedLink(one_line(file.path, 200), f"{file.pk}/", file.size) for file in files]


def evidence(session: AgentSession) -> str:
    """What the status is derived from, in a few words."""
    if session.open_tool_calls and session.turn in (TURN_OPEN, TURN_ABORTED):
        words = ngettext(
            "%(count)s tool call without a result",
            "%(count)s tool calls without a result",
            session.open_tool_calls,
        )
        return words % {"count": figures.grouped(session.open_tool_calls)}
    is_active = session.status == AgentSession.Status.ACTIVE
    return {
        TURN_OPEN: _("at work") if is_active else _("last turn open"),
        TURN_ENDED: _("waiting for a prompt") if is_active else _("last turn ended"),
        TURN_FAILED: _("last turn failed"),
        TURN_ABORTED: _("last turn interrupted"),
    }.get(session.turn, "")


def strip(session: AgentSession) -> list[Figure]:
    """The figures that one looks for first."""
    prompts = ngettext("%(count)s prompt", "%(count)s prompts", session.user_messages)
    errors = ngettext("%(count)s error", "%(count)s errors", session.tool_errors)
    cost = figures.cost(
        session.cost, unpriced=session.unpriced_responses, tokens=session.total_tokens
    )
    inherited = ""
    if session.inherited_tokens:
        inherited = _("%(count)s inherited") % {"count": figures.short(session.inherited_tokens)}
    return [
        Figure(_("Duration"), *duration(session)),
        Figure(
            _("Messages"),
            figures.grouped(session.message_count),
            note=prompts % {"count": figures.grouped(session.user_messages)},
        ),
        Figure(
            _("Tool calls"),
            figures.grouped(session.tool_calls),
            note=errors % {"count": figures.grouped(session.tool_errors)}
            if session.tool_errors
            else "",
            is_bad=session.tool_errors > 0,
        ),
        Figure(
            _("Tokens"),
            figures.short(session.total_tokens) if session.total_tokens else "–",
            figures.grouped(session.total_tokens) if session.total_tokens else figures.no_usage(),
            inherited,
        ),
        Figure(_("Cost"), cost.text, cost.title, cost_kind(session)),
    ]


def cost_kind(session: AgentSession) -> str:
    """Whether the agent recorded the cost or we estimated it."""
    if not session.cost:
        return ""
    if session.recorded_cost == session.cost:
        return _("recorded")
    return _("partly estimated") if session.recorded_cost else _("estimated")


def relatives(session: AgentSession, kin: Sequence[Kin]) -> list[Relative]:
    """Parents first, then what came of it."""
    words = {
        ("fork", True): _("Forked from"),
        ("fork", False): _("Fork"),
        ("merge", True): _("Merged from"),
        ("merge", False): _("Merged into"),
        ("subagent", True): _("Started by"),
        ("subagent", False): _("Sub-agent"),
        ("continuation", True): _("Same conversation as"),
        ("continuation", False): _("Same conversation as"),
    }
    out = []
    for link in sorted(kin, key=lambda link: not link.is_parent):
        note = ""
        if link.relation == "fork" and link.forked_at_seq:
            note = _("parted after message %(seq)d") % {"seq": link.forked_at_seq}
        name = words.get((link.relation, link.is_parent), link.relation)
        out.append(Relative(name, link.session, title_of(link.session), note))
    return out


def _metadata(session: AgentSession) -> SafeString | str:
    if not session.metadata:
        return ""
    text = structured.pretty(session.metadata)[:LONGEST_METADATA]
    return code.colour(text, "json", Budget())
