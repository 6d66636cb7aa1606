"""A fork: a new session that begins with a copy of another one's conversation.

It is stored like the forks that agents write themselves: messages are copied with their keys,
while what was billed stays one row that both conversations hold and the parent owns.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Count, Q
from django.utils.translation import gettext_lazy as _

from sessions_app.actions.append import Said, append_batch, prepare_batch
from sessions_app.actions.fork_rows import Copy, copy_belongings, copy_conversation, reopen_calls
from sessions_app.actions.leases import hold_untrashed
from sessions_app.actions.names import new_short_id
from sessions_app.actions.projects import audience_for
from sessions_app.actions.refusals import BadValue, NoTrace
from sessions_app.actions.tokens import recount_usage
from sessions_app.actions.transaction import record_alone, write_transaction
from sessions_app.models import (
    AgentSession,
    Message,
    Relation,
    StatusChange,
    ToolCall,
    User,
)
from sessions_app.records import TEXT, Block, MessageRecord

# What a fork has from its parent.
FACTS = ("project", "visibility", "backend", "is_sample", "title", "title_rank",
         "prompt", "description", "model", "models_used", "host", "work_dir", "git_branch",
         "repository_url", "agent_version", "metadata", "total_steps")  # fmt: skip


def fork_session(
    parent: AgentSession,
    *,
    at_seq: int | None = None,
    prompt: str = "",
    by: User,
    now: datetime,
) -> AgentSession:
    """A new session of `by` with the messages of `parent` up to `at_seq` (None = all of them).

    `prompt` is what is said next. The parent does not change, so that nobody's lock on it is in
    the way.
    """
    if parent.is_ephemeral:
        raise NoTrace(_("Nothing of an ephemeral session is kept: it cannot be forked."))
    with write_transaction():
        record_alone()
        parent = hold_untrashed(parent)
        at_seq = _place(parent, at_seq)
        child = _child(parent, by, now)
        child.save()
        copy = Copy(parent.pk, child.pk, at_seq)
        copy_conversation(copy)
        reopen_calls(child)
        copy_belongings(copy, parent)
        _count(child, at_seq)
        Relation.objects.create(
            child=child, parent=parent, kind=Relation.Kind.FORK,
            parent_identity=parent.identity, forked_at_seq=at_seq,
        )  # fmt: skip
        StatusChange.objects.create(
            session=child, status=child.status, at=now, actor=by,
            reason=f"forked from {parent.short_id} at message {at_seq}",
        )  # fmt: skip
        if prompt:
            said = Said(MessageRecord("", "user", [Block(TEXT, prompt)], "prompt"))
            append_batch(child, prepare_batch(child, [said], now=now), by=by, now=now)
            child.refresh_from_db()
    return child


def _place(parent: AgentSession, at_seq: int | None) -> int:
    if at_seq is None:
        return parent.last_seq
    if not Message.objects.filter(session=parent, seq=at_seq).exists():
        raise BadValue(_("The session has no such message."), at_seq=at_seq)
    return at_seq


def _child(parent: AgentSession, by: User, now: datetime) -> AgentSession:
    short_id = new_short_id()
    child = AgentSession(
        short_id=short_id, collector=by, owner=by, source="fork", identity=f"fork:{short_id}",
        created_at=now, last_active=now, received_at=now,
        **{name: getattr(parent, name) for name in FACTS},
    )  # fmt: skip
    child.audience = audience_for(child)
    return child


def _count(child: AgentSession, at_seq: int) -> None:
    """Read the counters off the rows that are there now."""
    here = Message.objects.filter(session=child)
    counted = here.aggregate(
        every=Count("pk"),
        prompts=Count("pk", filter=Q(kind="prompt")),
        answers=Count("pk", filter=Q(role=Message.Role.ASSISTANT, kind="answer")),
    )
    calls = ToolCall.objects.filter(session=child).aggregate(
        every=Count("pk"),
        errors=Count("pk", filter=Q(is_error=True)),
        waiting=Count("pk", filter=Q(ended=False)),
    )
    child.last_seq = child.revision = at_seq
    child.message_count = counted["every"]
    child.user_messages, child.assistant_messages = counted["prompts"], counted["answers"]
    child.tool_calls, child.tool_errors = calls["every"], calls["errors"]
    child.open_tool_calls = calls["waiting"]
    recount_usage(child)
    child.save()
