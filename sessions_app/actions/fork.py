"""A fork: a new session that begins with a copy of another one's conversation.

It is stored like the forks that agents write themselves: messages are copied with their keys,
while what was billed stays one row that both conversations hold and the parent owns.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Count, Model, Q
from django.utils.translation import gettext_lazy as _

from sessions_app.actions.leases import hold_session
from sessions_app.actions.names import new_short_id
from sessions_app.actions.projects import audience_for
from sessions_app.actions.refusals import BadValue, NoTrace
from sessions_app.actions.tokens import recount_usage
from sessions_app.actions.transaction import record_alone, write_transaction
from sessions_app.models import (
    AgentSession,
    Attachment,
    Message,
    Relation,
    SessionTag,
    SessionUsage,
    StatusChange,
    ToolCall,
    User,
)

# What a fork has from its parent.
FACTS = ("project", "visibility", "backend", "is_sample", "title", "title_rank",
         "prompt", "description", "model", "models_used", "host", "work_dir", "git_branch",
         "repository_url", "agent_version", "metadata", "total_steps")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Copy:
    """From which session to which, and how far."""

    parent: int
    child: int
    at_seq: int


def fork_session(
    parent: AgentSession, *, at_seq: int | None = None, by: User, now: datetime
) -> AgentSession:
    """A new session of `by` with the messages of `parent` up to `at_seq` (None = all of them).

    The parent does not change, so that nobody's lock on it is in the way.
    """
    if parent.is_ephemeral:
        raise NoTrace(_("Nothing of an ephemeral session is kept: it cannot be forked."))
    with write_transaction():
        record_alone()
        parent = hold_session(parent)
        at_seq = _place(parent, at_seq)
        child = _child(parent, by, now)
        child.save()
        copy = Copy(parent.pk, child.pk, at_seq)
        _copy_conversation(copy)
        _copy_belongings(copy, parent)
        _count(child, at_seq)
        Relation.objects.create(
            child=child, parent=parent, kind=Relation.Kind.FORK,
            parent_identity=parent.identity, forked_at_seq=at_seq,
        )  # fmt: skip
        StatusChange.objects.create(
            session=child, status=child.status, at=now, actor=by,
            reason=f"forked from {parent.short_id} at message {at_seq}",
        )  # fmt: skip
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


def _copy_conversation(copy: Copy) -> None:
    """In SQL, since a conversation may be long: a new row finds its origin by its place."""
    table = Message._meta.db_table
    _copy_rows(
        Message, copy, {"session_id": "%(child)s", "revision": "r.seq"},
        f'"{table}" r WHERE r.session_id = %(parent)s AND r.seq <= %(at_seq)s ORDER BY r.seq',
    )  # fmt: skip
    for model in (ToolCall, Attachment, SessionUsage):
        _copy_rows(
            model, copy, {"session_id": "%(child)s", "message_id": "new.id"},
            f'"{table}" old JOIN "{table}" new ON new.session_id = %(child)s AND new.seq = old.seq'
            f' JOIN "{model._meta.db_table}" r ON r.message_id = old.id'
            " WHERE old.session_id = %(parent)s AND old.seq <= %(at_seq)s ORDER BY r.id",
        )  # fmt: skip


def _copy_rows(model: type[Model], copy: Copy, own: dict[str, str], origin: str) -> None:
    """Insert what `origin` calls `r`, except for the columns that are the copy's own."""
    fields = [field.column for field in model._meta.concrete_fields if not field.primary_key]
    names = ", ".join(f'"{name}"' for name in fields)
    values = ", ".join(own.get(name, f'r."{name}"') for name in fields)
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{model._meta.db_table}" ({names}) SELECT {values} FROM {origin}',
            {"child": copy.child, "parent": copy.parent, "at_seq": copy.at_seq},
        )


def _copy_belongings(copy: Copy, parent: AgentSession) -> None:
    """Tags, and the states and files that were saved up to there."""
    for tag in parent.tag_links.values_list("tag", flat=True):
        SessionTag.objects.create(session_id=copy.child, tag_id=tag)
    states, files = parent.snapshots.all(), parent.artifacts.all()
    if copy.at_seq < parent.last_seq:
        said = Message.objects.filter(session=parent, seq=copy.at_seq)
        until = said.values_list("received_at", flat=True).get()
        states = states.filter(Q(at_seq__lte=copy.at_seq) | Q(at_seq=None, received_at__lte=until))
        files = files.filter(received_at__lte=until)
    for rows in (states, files):
        # One at a time: a state may be large.
        for key in list(rows.values_list("pk", flat=True)):
            row = rows.get(pk=key)
            row.pk, row.session_id = None, copy.child
            row.save(force_insert=True)


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
