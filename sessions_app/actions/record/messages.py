"""Messages, tool calls and images of a group, with the counters that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sessions_app.actions import search_index
from sessions_app.actions.bulk import allocate_ids, in_groups, insert_rows, moments
from sessions_app.actions.prepared import PreparedCall, PreparedMessage
from sessions_app.actions.record.answers import answer_calls
from sessions_app.actions.record.batch import Collector, Entry, Stored
from sessions_app.actions.record.extend import extend_messages
from sessions_app.actions.record.rows import (
    CALL_COLUMNS,
    IMAGE_COLUMNS,
    MESSAGE_COLUMNS,
    call_row,
    count_message,
    image_row,
)
from sessions_app.actions.record.saved import Staged
from sessions_app.actions.search_tables import CALLS, MESSAGES, Row
from sessions_app.models import AgentSession, Attachment, Message, ToolCall
from sessions_app.records import TITLE_RECORD, tells_a_place

Fresh = tuple[Entry, PreparedMessage]
Told = dict[int, list[Row]]  # kind -> entries of the search index


def record(entries: Sequence[Entry], by: Collector, staged: Staged, done: Stored) -> None:
    """Insert the new messages, extend the known ones, answer calls of earlier readings."""
    fresh: list[Fresh] = []
    for entry in entries:
        known = {} if entry.is_new else _known_keys(entry, by)
        entry.message_ids.update(known)
        told = entry.part.messages
        grown = [(known[item.key], item) for item in told if item.key in known]
        if entry.is_copy:
            # Keys that only tell a place say nothing about a copy: what came first stays.
            grown = [(pk, item) for pk, item in grown if not tells_a_place(item.key)]
        results = extend_messages(entry.session, grown, staged) if grown else []
        news = [item for item in told if item.key not in known]
        results += entry.part.results
        if results:
            _add_in_time(news, answer_calls(entry.session, results, staged), known)
        fresh += [(entry, item) for item in news]
    insert(fresh, by, staged)
    done.messages += len(fresh)


def _known_keys(entry: Entry, by: Collector) -> dict[str, int]:
    """key -> id of the stored messages that the part speaks of; none if it replaces them all."""
    rows = Message.objects.filter(session=entry.session)
    if entry.part.replace and entry.session.pk not in by.replaced:
        by.replaced.add(entry.session.pk)
        by.kept[entry.session.pk] = dict(rows.values_list("key", "pk"))
        wipe_conversation(entry.session)
        entry.replaced = entry.recount = True
        return {}
    wanted = [message.key for message in entry.part.messages]
    wanted += [usage.message_key for usage in entry.part.record.usages]
    wanted += [f"result:{result.call.call_id}"[:200] for result in entry.part.results]
    found: dict[str, int] = {}
    for keys in in_groups(key for key in wanted if key):
        found.update(rows.filter(key__in=keys).values_list("key", "pk"))
    return found


def _add_in_time(
    news: list[PreparedMessage], orphans: Sequence[PreparedMessage], known: dict[str, int]
) -> None:
    """Put results without a call among the new messages, where their time belongs."""
    taken = {*known, *(item.key for item in news)}
    for orphan in orphans:
        if orphan.key in taken:
            continue
        taken.add(orphan.key)
        later = (
            index
            for index, item in enumerate(news)
            if orphan.at is not None and item.at is not None and item.at > orphan.at
        )
        news.insert(next(later, len(news)), orphan)


def insert(fresh: Sequence[Fresh], by: Collector, staged: Staged) -> None:
    """Insert messages of which nothing is stored yet, with calls and images, and count them."""
    kept = [by.kept.get(entry.session.pk, {}).pop(message.key, 0) for entry, message in fresh]
    fresh_ids = iter(allocate_ids(Message, kept.count(0)))
    call_ids = iter(allocate_ids(ToolCall, sum(len(message.calls) for _, message in fresh)))
    image_ids = iter(allocate_ids(Attachment, sum(len(message.images) for _, message in fresh)))
    rows: list[tuple[Any, ...]] = []
    calls: list[tuple[Any, ...]] = []
    images: list[tuple[Any, ...]] = []
    found: Told = {MESSAGES: [], CALLS: []}
    moment = moments()
    received = moment(by.now)
    for (entry, message), kept_id in zip(fresh, kept, strict=True):
        session = entry.session
        pk = kept_id or next(fresh_ids)
        entry.message_ids[message.key] = pk
        count_message(session, message)
        rows.append(
            (pk, session.pk, session.last_seq, session.revision, message.key,
             message.parent_key, message.role, message.kind, message.model, message.text,
             message.thinking, message.layout, message.metadata, moment(message.at), received)
        )  # fmt: skip
        _tell(found[MESSAGES], pk, message)
        for ordinal, call in enumerate(message.calls):
            ended, call_pk = moment(call.ended_at), next(call_ids)
            calls.append(call_row((call_pk, pk, session.pk, ordinal), call, ended))
            _tell(found[CALLS], call_pk, call)
        for ordinal, image in enumerate(message.images):
            images.append(image_row(next(image_ids), pk, ordinal, image, staged))
    insert_rows(Message, MESSAGE_COLUMNS, rows)
    insert_rows(ToolCall, CALL_COLUMNS, calls)
    insert_rows(Attachment, IMAGE_COLUMNS, images)
    for kind, told in found.items():
        search_index.tell_new(kind, told)


def _tell(found: list[Row], pk: int, item: PreparedMessage | PreparedCall) -> None:
    if item.found is not None:
        found.append(Row(pk, *item.found))


def wipe_conversation(session: AgentSession) -> None:
    """Take a session's conversation away, so that a new reading of its file replaces it.

    Usage rows stay: what was billed stays billed, though this conversation may not hold it
    any more. What the conversation told about the session is told anew, too.
    """
    Attachment.objects.filter(message__session=session).delete()
    ToolCall.objects.filter(session=session).delete()
    session.usage_links.all().delete()
    Message.objects.filter(session=session)._raw_delete("default")
    session.last_seq = session.message_count = session.user_messages = 0
    session.assistant_messages = session.tool_calls = session.tool_errors = 0
    session.open_tool_calls = 0
    session.root_key = session.prompt = session.turn = session.error = session.model = ""
    session.models_used = []
    if session.title_rank < TITLE_RECORD:
        session.title, session.title_rank = "", 0
