"""Clear a conversation: its messages go to the trash, as a session of their own."""

from __future__ import annotations

from datetime import datetime

from django.http import Http404

from sessions_app.actions.leases import check_fence, hold_session
from sessions_app.actions.names import new_short_id
from sessions_app.models import (
    AgentSession,
    AuditEntry,
    Message,
    SessionUsage,
    StatusChange,
    ToolCall,
    User,
)

COUNTED = ("message_count", "user_messages", "assistant_messages", "tool_calls", "tool_errors",
           "open_tool_calls")  # fmt: skip
COPIED = ("collector", "owner", "project", "visibility", "audience", "source", "backend", "kind",
          "title", "prompt", "model", "models_used", "host", "work_dir", "git_branch",
          "created_at", "last_active", "last_seq", "revision", *COUNTED)  # fmt: skip


def clear_messages(
    session: AgentSession, *, by: User, now: datetime, fence: int | None = None
) -> int:
    """Take all messages away; answers how many. What was billed stays billed, `seq` goes on.

    In the caller's transaction.
    """
    session = hold_session(session)
    if session.trashed_at is not None:
        raise Http404
    check_fence(session, fence, now=now)
    count = session.message_count
    if not count:
        return 0
    SessionUsage.objects.filter(session=session).update(message=None, waits_for=None)
    if session.is_ephemeral:
        ToolCall.objects.filter(session=session)._raw_delete("default")
        Message.objects.filter(session=session).delete()
    else:
        _move_to_trash(session, by, now)
    for field in COUNTED:
        setattr(session, field, 0)
    session.revision += 1
    session.prompt = ""
    session.save(update_fields=[*COUNTED, "revision", "prompt"])
    return count


def _move_to_trash(session: AgentSession, by: User, now: datetime) -> None:
    """Messages keep their ids and places; restored, they are a session that can be read."""
    short_id = new_short_id()
    copy = AgentSession(
        short_id=short_id, identity=f"cleared:{short_id}", received_at=now, trashed_at=now,
        status=AgentSession.Status.COMPLETED, ended_at=session.last_active,
        **{field: getattr(session, field) for field in COPIED},
    )  # fmt: skip
    copy.save()
    reason = f"its messages were cleared from {session.short_id}"
    StatusChange.objects.create(session=copy, status=copy.status, at=now, actor=by, reason=reason)
    ToolCall.objects.filter(session=session).update(session=copy)
    Message.objects.filter(session=session).update(session=copy)
    AuditEntry.objects.create(
        at=now, actor=by, actor_name=by.get_username(), action="session.clear",
        target=session.short_id, details={"messages": session.message_count, "in": short_id},
    )  # fmt: skip
