"""What `show_session` says of a session, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from sessions_app import figures
from sessions_app.management import terminal
from sessions_app.models import AgentSession

Facts = Iterator[tuple[str, str]]


def session_facts(session: AgentSession, told: dict[str, Any], now: datetime) -> Facts:
    """(label, text) in the order of the JSON `told`; the text of what is not known is empty."""
    yield from _identity(told)
    yield from _state(session, told, now)
    yield from _words(told)
    yield from _figures(session, told)
    yield from _descent(told)
    because = told["not_resumable_because"] or _("No command is known for it.")
    yield _("Resume with"), told["resume_command"] or because


def _identity(told: dict[str, Any]) -> Facts:
    yield _("ID"), told["id"]
    yield _("Name"), told["name"] or ""
    yield _("Title"), told["title"] or ""
    yield _("Backend"), told["backend"]
    yield _("Backend's id"), told["backend_session_id"] or ""
    yield _("Source"), told["source"]
    yield _("Models"), ", ".join(told["models"] or [told["model"] or ""])


def _state(session: AgentSession, told: dict[str, Any], now: datetime) -> Facts:
    yield _("Status"), session.get_status_display()
    yield _("Error"), session.standing_error
    for label, moment in (
        (_("Created"), session.created_at),
        (_("Last used"), session.last_active),
        (_("Ended"), session.ended_at),
    ):
        yield label, _moment(moment, now) if moment else ""
    yield _("Work folder"), told["work_dir"] or ""
    yield _("Project"), told["project"] or ""
    yield _("Branch"), told["git_branch"] or ""
    yield _("Host"), told["host"] or ""
    yield _("Owner"), told["owner"]
    yield _("Visible to"), session.get_visibility_display()
    yield _("Protected"), _("yes") if told["protected"] else ""


def _moment(moment: datetime, now: datetime) -> str:
    return f"{figures.exact_time(moment)} ({figures.ago(moment, now)})"


def _words(told: dict[str, Any]) -> Facts:
    yield _("Kind"), told["kind"]
    yield _("Prompt"), told["prompt"] or ""
    yield _("Description"), told["description"] or ""
    yield _("Tags"), ", ".join(told["tags"])


def _figures(session: AgentSession, told: dict[str, Any]) -> Facts:
    grouped, tokens = figures.grouped, told["token_usage"]
    for label, name in (
        (_("Input tokens"), "input"),
        (_("Output tokens"), "output"),
        (_("Cache read tokens"), "cache_read"),
        (_("Cache write tokens"), "cache_write"),
        (_("Reasoning tokens"), "reasoning"),
        (_("Total tokens"), "total"),
        (_("Inherited tokens"), "inherited"),
    ):
        yield label, grouped(tokens[name]) if tokens[name] or name == "total" else ""
    yield _("Cost"), _cost(session, told["cost"])
    for label, name in (
        (_("Messages"), "message_count"),
        (_("Prompts"), "user_messages"),
        (_("Tool calls"), "tool_calls"),
        (_("Tool errors"), "tool_errors"),
    ):
        yield label, grouped(told[name])
    steps, progress = told["total_steps"], told["progress"]
    yield _("Steps"), "" if steps is None else grouped(steps)
    yield _("Task"), told["current_task"] or ""
    yield _("Progress"), "" if progress is None else f"{progress:.0%}"
    yield _("Duration"), figures.duration(told["duration_seconds"])
    yield _("Exit code"), "" if told["exit_code"] is None else str(told["exit_code"])
    yield _("Size on disk"), figures.size(session.size_bytes)
    yield _("Metadata"), terminal.as_json(told["metadata"]) if told["metadata"] else ""


def _cost(session: AgentSession, told: dict[str, Any]) -> str:
    shown = figures.cost(
        session.cost, unpriced=session.unpriced_responses, tokens=session.total_tokens
    )
    without = ", ".join(told["unpriced_models"])
    note = _("no price for %(models)s") % {"models": without} if without else ""
    exact = f"${told['usd']}" if session.cost else shown.text
    return f"{exact} ({note})" if note else exact


def _descent(told: dict[str, Any]) -> Facts:
    parent, seq = told["parent_id"] or "", told["forked_at_seq"]
    if parent and seq is not None:
        parent = _("%(id)s, parted after message %(seq)d") % {"id": parent, "seq": seq}
    yield _("Parent"), parent
    yield _("Merged from"), ", ".join(told["merged_from"])
    yield _("Sub-agents"), figures.grouped(told["subagents"]) if told["subagents"] else ""
