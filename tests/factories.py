"""Rows for tests: whatever a test does not care about has a plain value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sessions_app import packing
from sessions_app.actions.names import new_short_id
from sessions_app.models import AgentSession, Message, Project, Tag, ToolCall, Usage, User
from sessions_app.models.session import EVERYONE

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def make_session(owner: User, **fields: Any) -> AgentSession:
    """A session that everybody who signed in may see, ten minutes old at NOON."""
    short_id = fields.pop("short_id", None) or new_short_id()
    plain: dict[str, Any] = {
        "short_id": short_id,
        "collector": owner,
        "visibility": AgentSession.Visibility.EVERYONE,
        "audience": EVERYONE,
        "source": "claude-code",
        "backend": "claude",
        "backend_session_id": f"native-{short_id}",
        "identity": f"native-{short_id}",
        "status": AgentSession.Status.ACTIVE,
        "created_at": NOON - timedelta(hours=1),
        "last_active": NOON - timedelta(minutes=10),
        "received_at": NOON,
    }
    return AgentSession.objects.create(owner=owner, **{**plain, **fields})


def make_message(session: AgentSession, text: str = "Hello", **fields: Any) -> Message:
    """The next message of the session, whose counters follow."""
    seq = session.last_seq + 1
    plain: dict[str, Any] = {
        "seq": seq,
        "revision": session.revision + 1,
        "key": f"m{seq}",
        "role": Message.Role.USER,
        "text": text,
        "received_at": NOON,
    }
    message = Message.objects.create(session=session, **{**plain, **fields})
    session.last_seq, session.revision = seq, session.revision + 1
    session.message_count += 1
    session.save(update_fields=["last_seq", "revision", "message_count"])
    return message


def make_call(
    message: Message, name: str, given: str = "{}", result: str | None = None, **fields: Any
) -> ToolCall:
    """A tool call at the end of the message; without a result it is still open."""
    preview, packed, size = packing.pack_text(given)
    plain: dict[str, Any] = {
        "ordinal": message.calls.count(),
        "call_id": f"{message.key}-{message.calls.count()}",
        "input_preview": preview,
        "input_packed": packed,
        "input_size": size,
    }
    if result is not None:
        preview, packed, size = packing.pack_text(result)
        plain |= {"output_preview": preview, "output_packed": packed, "output_size": size}
        plain |= {"ended": True, "ended_at": NOON}
    return ToolCall.objects.create(
        message=message, session=message.session, name=name, **{**plain, **fields}
    )


def make_project(name: str = "webshop", **fields: Any) -> Project:
    plain: dict[str, Any] = {"key": f"example.com/team/{name}", "created_at": NOON}
    return Project.objects.create(name=name, **{**plain, **fields})


def make_usage(session: AgentSession, key: str, **fields: Any) -> Usage:
    """A billed response that belongs to the session's conversation."""
    plain: dict[str, Any] = {"backend": session.backend, "session": session, "at": NOON}
    usage = Usage.objects.create(key=f"{session.backend}:{key}", **{**plain, **fields})
    session.usage_links.create(usage=usage)
    return usage


def tag(session: AgentSession, *names: str) -> None:
    for name in names:
        session.tag_links.create(tag=Tag.objects.get_or_create(name=name)[0])
