"""Append to a session that is written through the API: messages, results and usage, at once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from django.http import Http404
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from sessions_app.actions.bulk import save_models
from sessions_app.actions.leases import check_fence, hold_session
from sessions_app.actions.prepare import prepare
from sessions_app.actions.prepared import FilePart, PreparedMessage, PreparedSession
from sessions_app.actions.record import messages, saved, usage
from sessions_app.actions.record.answers import answer_calls
from sessions_app.actions.record.batch import Collector, Entry
from sessions_app.actions.record.saved import Staged
from sessions_app.actions.refusals import AlreadyThere
from sessions_app.actions.statuses import step
from sessions_app.models import AgentSession, Message, User
from sessions_app.records import (
    CALL,
    MessageRecord,
    SessionRecord,
    ToolResult,
    UsageRecord,
)

OWN = "~"  # how the keys begin that we make for messages without one
# In the metadata of a message: the calls whose results it brought; of a call: who brought it.
ANSWERS, BROUGHT_BY = "~answers", "~by"
PROMPT = 500  # characters

WRITTEN = (
    "last_seq", "revision", "message_count", "user_messages", "assistant_messages", "tool_calls",
    "tool_errors", "open_tool_calls", "input_tokens", "output_tokens", "cache_read_tokens",
    "cache_write_tokens", "reasoning_tokens", "total_tokens", "inherited_tokens", "cost",
    "recorded_cost", "inherited_cost", "unpriced_responses", "model", "models_used", "prompt",
    "last_active", "heartbeat_at",
)  # fmt: skip


class Said(msgspec.Struct):
    """One message as a program tells it, with what came along."""

    message: MessageRecord
    results: list[ToolResult] = []
    usage: UsageRecord | None = None


@dataclass(slots=True)
class Batch:
    """Messages that are ready to be inserted."""

    part: PreparedSession
    staged: Staged
    order: list[str]  # the key of each message, as told
    given: set[str]  # those that the program chose itself
    brings: dict[str, str]  # call id -> key of the message that brought its result


@dataclass(frozen=True, slots=True)
class Appended:
    """Where the messages of a batch stand."""

    items: list[tuple[int, str]]  # seq, key
    last_seq: int
    fresh: int  # how many were not there before


def prepare_batch(session: AgentSession, told: Sequence[Said], *, now: datetime) -> Batch:
    """Clean, pair and compress, and store images: everything that needs no transaction."""
    order, given, brings = [], set(), {}
    record = SessionRecord("api", session.backend, session.identity)
    for said in told:
        if said.message.key:
            given.add(said.message.key)
        else:
            said.message.key = OWN + secrets.token_hex(8)
        order.append(said.message.key)
        said.message.at = said.message.at or now
        if said.results:
            said.message.metadata = {
                **said.message.metadata, ANSWERS: [result.call_id for result in said.results]
            }  # fmt: skip
            for result in said.results:
                result.metadata = {BROUGHT_BY: said.message.key}
            brings.update(dict.fromkeys((r.call_id for r in said.results), said.message.key))
        record.messages.append(said.message)
        record.results += said.results
        if said.usage is not None:
            record.usages.append(_usage(session, said, said.usage))
    part = prepare(record, now=now)
    return Batch(part, saved.stage([FilePart("api", [], [], [part])]), order, given, brings)


def _usage(session: AgentSession, said: Said, told: UsageRecord) -> UsageRecord:
    """Keys from programs are their collector's own; without one the message's is as good."""
    key = told.key or f"{session.short_id}:{said.message.key}"
    told.key = f"api:{session.collector_id}:{key}"
    told.message_key = said.message.key
    told.model = told.model or said.message.model
    told.at = told.at or said.message.at
    return told


def append_batch(
    session: AgentSession, batch: Batch, *, by: User, now: datetime, fence: int | None = None
) -> Appended:
    """Insert what is not there yet; in the caller's transaction."""
    session = hold_session(session)
    if session.trashed_at is not None:
        raise Http404
    check_fence(session, fence, now=now)
    known = _known(session, batch)
    fresh = [item for item in batch.part.messages if item.key not in known]
    if fresh:
        step(session, "work", reason="messages were appended", by=by, now=now)
        known |= _insert(session, batch, fresh, by=by, now=now)
    return Appended([(known[key], key) for key in batch.order], session.last_seq, len(fresh))


def _known(session: AgentSession, batch: Batch) -> dict[str, int]:
    """key -> seq of messages that were told before. Another message under a known key is refused.

    Results and usage come with their message: what was told before is told completely.
    """
    if not batch.given:
        return {}
    rows = Message.objects.filter(session=session, key__in=batch.given)
    names = ("key", "seq", "role", "text", "thinking", "layout")
    stored = {row[0]: row[1:] for row in rows.values_list(*names)}
    for item in batch.part.messages:
        have = stored.get(item.key)
        if have is not None and have[1:4] != (item.role, item.text, item.thinking):
            raise AlreadyThere(
                format_lazy(_("The key {key} belongs to another message."), key=item.key),
                key=item.key, seq=have[0],
            )  # fmt: skip
    return {key: row[0] for key, row in stored.items()}


def _insert(
    session: AgentSession, batch: Batch, fresh: list[PreparedMessage], *, by: User, now: datetime
) -> dict[str, int]:
    record, keys = batch.part.record, {item.key for item in fresh}
    by_key = {item.key: item for item in fresh}
    collector = Collector(by, by, session.host, now)
    part = PreparedSession(record, fresh, [])
    entry = Entry(session, part, False, "", "api", seq_before=session.last_seq)
    results = [
        result for result in batch.part.results
        if batch.brings.get(result.call.call_id, "") in keys
    ]  # fmt: skip
    if results:
        for orphan in answer_calls(session, results, batch.staged):
            _adopt(by_key[batch.brings[orphan.calls[0].call_id]], orphan)
    saved.record_files(batch.staged, collector)
    first = session.last_seq + 1
    messages.insert([(entry, item) for item in fresh], collector, batch.staged)
    record.usages = [item for item in record.usages if item.message_key in keys]
    if record.usages:
        usage.record([entry], collector)
    _tell_session(session, fresh, now)
    save_models([session], WRITTEN)
    return {item.key: first + place for place, item in enumerate(fresh)}


def _adopt(message: PreparedMessage, orphan: PreparedMessage) -> None:
    """A result whose call was never told stands in the message that brought it."""
    if message.layout:
        order = msgspec.json.decode(message.layout)
        message.layout = msgspec.json.encode([*order, (CALL, 0)]).decode()
    message.calls += orphan.calls
    message.images += orphan.images


def _tell_session(session: AgentSession, fresh: Sequence[PreparedMessage], now: datetime) -> None:
    for item in fresh:
        if item.kind == "prompt" and not session.prompt:
            session.prompt = item.text[:PROMPT]
        if item.model:
            session.model = item.model
            if item.model not in session.models_used:
                session.models_used = [*session.models_used, item.model][:50]
    session.last_active = max(session.last_active, *(item.at or now for item in fresh))
    if session.heartbeat_at is not None:
        session.heartbeat_at = now
