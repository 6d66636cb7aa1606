"""Messages, tool calls and images of a group, with the counters that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sessions_app.actions.bulk import allocate_ids, in_groups, insert_rows, moments
from sessions_app.actions.prepared import PreparedMessage
from sessions_app.actions.record.batch import Collector, Entry, Stored
from sessions_app.actions.record.extend import answer_calls, extend_message
from sessions_app.actions.record.rows import (
    CALL_COLUMNS,
    IMAGE_COLUMNS,
    MESSAGE_COLUMNS,
    call_row,
    count_message,
    image_row,
)
from sessions_app.actions.record.saved import Staged
from sessions_app.models import AgentSession, Attachment, Message, ToolCall

Fresh = tuple[Entry, PreparedMessage]


def record(entries: Sequence[Entry], by: Collector, staged: Staged, done: Stored) -> None:
    """Insert the new messages, extend the known ones, answer calls of earlier readings."""
    fresh: list[Fresh] = []
    kept: dict[tuple[int, str], int] = {}
    for entry in entries:
        known = {} if entry.is_new else _known_keys(entry)
        if entry.part.replace and known:
            kept.update({(entry.session.pk, key): pk for key, pk in known.items()})
            wipe_conversation(entry.session)
            entry.recount = True
            known = {}
        entry.message_ids.update(known)
        for message in entry.part.messages:
            if message.key in known:
                extend_message(entry.session, known[message.key], message, staged, by.now)
            else:
                fresh.append((entry, message))
    _insert(fresh, kept, by, staged)
    done.messages += len(fresh)
    for entry in entries:
        if entry.part.results:
            orphans = answer_calls(entry.session, entry.part.results, staged, by.now)
            _insert([(entry, message) for message in orphans], {}, by, staged)


def _known_keys(entry: Entry) -> dict[str, int]:
    """key -> id of stored messages: all of them for a replacement, else those of the part."""
    rows = Message.objects.filter(session=entry.session)
    if entry.part.replace:
        return dict(rows.values_list("key", "pk"))
    wanted = [message.key for message in entry.part.messages]
    wanted += [usage.message_key for usage in entry.part.record.usages]
    found: dict[str, int] = {}
    for keys in in_groups(key for key in wanted if key):
        found.update(rows.filter(key__in=keys).values_list("key", "pk"))
    return found


def _insert(
    fresh: Sequence[Fresh], kept: dict[tuple[int, str], int], by: Collector, staged: Staged
) -> None:
    fresh_ids = iter(
        allocate_ids(
            Message,
            sum((entry.session.pk, message.key) not in kept for entry, message in fresh),
        )
    )
    call_ids = iter(allocate_ids(ToolCall, sum(len(message.calls) for _, message in fresh)))
    image_ids = iter(allocate_ids(Attachment, sum(len(message.images) for _, message in fresh)))
    rows: list[tuple[Any, ...]] = []
    calls: list[tuple[Any, ...]] = []
    images: list[tuple[Any, ...]] = []
    moment = moments()
    received = moment(by.now)
    for entry, message in fresh:
        session = entry.session
        pk = kept.get((session.pk, message.key)) or next(fresh_ids)
        entry.message_ids[message.key] = pk
        count_message(session, message)
        rows.append(
            (pk, session.pk, session.last_seq, session.revision, message.key,
             message.parent_key, message.role, message.kind, message.model, message.text,
             message.thinking, message.layout, message.metadata, moment(message.at), received)
        )  # fmt: skip
        for ordinal, call in enumerate(message.calls):
            ended = moment(call.ended_at)
            calls.append(call_row((next(call_ids), pk, session.pk, ordinal), call, ended))
        for ordinal, image in enumerate(message.images):
            images.append(image_row(next(image_ids), pk, ordinal, image, staged))
    insert_rows(Message, MESSAGE_COLUMNS, rows)
    insert_rows(ToolCall, CALL_COLUMNS, calls)
    insert_rows(Attachment, IMAGE_COLUMNS, images)


def wipe_conversation(session: AgentSession) -> None:
    """Take a session's conversation away, so that a new reading of its file replaces it.

    Usage rows stay: what was billed stays billed, though this conversation may not hold it
    any more.
    """
    Attachment.objects.filter(message__session=session).delete()
    ToolCall.objects.filter(session=session).delete()
    session.usage_links.all().delete()
    Message.objects.filter(session=session)._raw_delete("default")
    session.last_seq = session.message_count = session.user_messages = 0
    session.assistant_messages = session.tool_calls = session.tool_errors = 0
    session.open_tool_calls = 0
