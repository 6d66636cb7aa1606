"""A session as JSON: one shape for commands, the API and exports. What is not known is null."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db.models import prefetch_related_objects

from sessions_app.models import AgentSession
from sessions_app.queries.access import Person
from sessions_app.queries.kinship import Descent, descents, unpriced_models

LEAST_PLACES = 4

# Agents know their resume commands, and exports do not know the agents: the caller brings them.
ResumeCommand = Callable[[AgentSession], str | None]


def session_json(
    session: AgentSession, *, viewer: Person, resume_command: ResumeCommand
) -> dict[str, Any]:
    return sessions_json([session], viewer=viewer, resume_command=resume_command)[0]


def sessions_json(
    sessions: Sequence[AgentSession], *, viewer: Person, resume_command: ResumeCommand
) -> list[dict[str, Any]]:
    """In the same order; the number of queries does not depend on how many sessions there are."""
    prefetch_related_objects(list(sessions), "owner", "project", "tags")
    family = descents(sessions, viewer)
    unpriced = unpriced_models(sessions)
    return [
        {
            **_identity(session),
            **_state(session),
            **_words(session),
            **_figures(session, unpriced.get(session.pk, [])),
            **_descent(family[session.pk]),
            "exit_code": session.exit_code,
            "duration_seconds": _seconds(session),
            "metadata": session.metadata,
            "resume_command": resume_command(session),
        }
        for session in sessions
    ]


def _identity(session: AgentSession) -> dict[str, Any]:
    return {
        "id": session.short_id,
        "name": session.name or None,
        "backend": session.backend,
        "backend_session_id": session.backend_session_id or None,
        "source": session.source,
        "model": session.model or None,
        "models": list(session.models_used),
    }


def _state(session: AgentSession) -> dict[str, Any]:
    return {
        "status": session.status,
        "resumable": session.resumable,
        "not_resumable_because": session.not_resumable_because,
        "created_at": moment_json(session.created_at),
        "last_active": moment_json(session.last_active),
        "ended_at": moment_json(session.ended_at),
        "work_dir": session.work_dir or None,
        "project": session.project.name if session.project else None,
        "git_branch": session.git_branch or None,
        "host": session.host or None,
        "owner": session.owner.get_username(),
        "visibility": session.visibility,
        "protected": session.is_protected,
    }


def _words(session: AgentSession) -> dict[str, Any]:
    return {
        "title": session.title or None,
        "kind": session.kind,
        "prompt": session.prompt or None,
        "description": session.description or None,
        "tags": [tag.name for tag in session.tags.all()],
    }


def _figures(session: AgentSession, unpriced: list[str]) -> dict[str, Any]:
    return {
        "token_usage": {
            "input": session.input_tokens,
            "output": session.output_tokens,
            "cache_read": session.cache_read_tokens,
            "cache_write": session.cache_write_tokens,
            "reasoning": session.reasoning_tokens,
            "total": session.total_tokens,
            "inherited": session.inherited_tokens,
        },
        "cost": {
            "usd": usd(session.cost),
            "recorded": usd(session.recorded_cost),
            "estimated": usd(session.estimated_cost),
            "complete": session.cost_is_complete,
            "unpriced_models": unpriced,
        },
        "message_count": session.message_count,
        "user_messages": session.user_messages,
        "tool_calls": session.tool_calls,
        "tool_errors": session.tool_errors,
        "total_steps": session.total_steps,
        "current_task": session.current_task or None,
        "progress": session.progress,
    }


def _descent(descent: Descent) -> dict[str, Any]:
    return {
        "parent_id": descent.parent_id,
        "forked_at_seq": descent.forked_at_seq,
        "merged_from": descent.merged_from,
        "subagents": descent.subagents,
    }


def _seconds(session: AgentSession) -> float:
    """As the agent told it, else from the first to the last sign of life."""
    if session.duration_seconds is not None:
        return session.duration_seconds
    return (session.last_active - session.created_at).total_seconds()


def moment_json(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def usd(amount: Decimal) -> str:
    """Every digit that there is, and at least four after the point."""
    whole, _, places = f"{amount:f}".partition(".")
    return f"{whole}.{places.rstrip('0').ljust(LEAST_PLACES, '0')}"
