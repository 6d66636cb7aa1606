"""The rows that a fork has from its parent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from django.db import connection
from django.db.models import Model, Q

from sessions_app.actions.append import BROUGHT_BY
from sessions_app.actions.bulk import in_groups
from sessions_app.models import (
    AgentSession,
    Attachment,
    Message,
    SessionTag,
    SessionUsage,
    ToolCall,
)

# The output of a call that is still open.
NO_RESULT: dict[str, Any] = {
    "output_preview": "", "output_packed": None, "output_size": 0, "is_error": False,
    "exit_code": None, "ended": False, "ended_at": None, "metadata": "",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Copy:
    """From which session to which, and how far."""

    parent: int
    child: int
    at_seq: int


def copy_conversation(copy: Copy) -> None:
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


def reopen_calls(child: AgentSession) -> None:
    """Calls whose results came with messages after the fork have none yet."""
    brought: dict[str, list[int]] = {}
    calls = ToolCall.objects.filter(session=child, metadata__contains=BROUGHT_BY)
    for call_pk, metadata in calls.values_list("pk", "metadata"):
        brought.setdefault(msgspec.json.decode(metadata)[BROUGHT_BY], []).append(call_pk)
    here: set[str] = set()
    for keys in in_groups(brought):
        rows = Message.objects.filter(session=child, key__in=keys)
        here.update(rows.values_list("key", flat=True))
    for key in brought.keys() - here:
        for call in ToolCall.objects.filter(pk__in=brought[key]):
            Attachment.objects.filter(message=call.message_id, call_id=call.call_id).delete()
            _close_ranks(call.message_id)
            for name, value in NO_RESULT.items():
                setattr(call, name, value)
            call.save(update_fields=list(NO_RESULT))


def _close_ranks(message: int) -> None:
    """The images of a message stand in places without a gap."""
    for place, image in enumerate(Attachment.objects.filter(message=message).order_by("ordinal")):
        if image.ordinal != place:
            image.ordinal = place
            image.save(update_fields=["ordinal"])


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


def copy_belongings(copy: Copy, parent: AgentSession) -> None:
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
