"""A conversation to be handed on: whole messages with calls, results, images and what they cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from sessions_app import packing
from sessions_app.models import AgentSession, Attachment, Message, SessionUsage, ToolCall
from sessions_app.packing import Piece

ANSWERS, BROUGHT_BY = "~answers", '"~by"'  # see actions.append
MOST_DANGLING = 200
SPENT = ("input", "output", "cache_read", "cache_write", "reasoning")


@dataclass(slots=True)
class Told:
    """A message with everything that belongs to it."""

    row: Message
    pieces: list[Piece]
    metadata: dict[str, Any]
    calls: list[ToolCall] = field(default_factory=list)
    answers: list[ToolCall] = field(default_factory=list)  # whose results it brought
    images: list[Attachment] = field(default_factory=list)  # its own
    result_images: dict[str, list[Attachment]] = field(default_factory=dict)
    spent: list[dict[str, Any]] = field(default_factory=list)


def read_after(session: AgentSession, seq: int, limit: int) -> list[Told]:
    """Up to `limit` messages that come after `seq`."""
    rows = Message.objects.filter(session=session, seq__gt=seq).order_by("seq")[:limit]
    return _told(session, list(rows))


def dangling_calls(session: AgentSession) -> list[ToolCall]:
    """The first calls that never got a result, in order, with the places of their messages."""
    rows = ToolCall.objects.filter(session=session, ended=False).select_related("message")
    placed = rows.defer("message__text", "message__thinking", "message__layout")
    return list(placed.order_by("message__seq", "ordinal")[:MOST_DANGLING])


def read_last(session: AgentSession, count: int) -> list[Told]:
    """The last `count` messages, in order."""
    rows = Message.objects.filter(session=session).order_by("-seq")[:count]
    return _told(session, list(rows)[::-1])


def _told(session: AgentSession, rows: Sequence[Message]) -> list[Told]:
    """The number of queries does not depend on how many messages there are."""
    ids = [row.pk for row in rows]
    if not ids:
        return []
    metadata = {row.pk: msgspec.json.decode(row.metadata) if row.metadata else {} for row in rows}
    calls = _by_message(ToolCall.objects.filter(message__in=ids).order_by("ordinal"))
    wanted = {row.pk: _call_ids(metadata[row.pk].pop(ANSWERS, [])) for row in rows}
    answers = _answers(session, {call_id for found in wanted.values() for call_id in found})
    images = _by_message(Attachment.objects.filter(message__in=ids).order_by("ordinal"))
    spent = _spent(ids)
    found = []
    for row in rows:
        own = [image for image in images[row.pk] if not image.call_id]
        mine = calls[row.pk]
        pieces = packing.pieces(
            row.text, row.thinking, row.layout, calls=len(mine), images=len(own)
        )
        brought = [answers[call_id] for call_id in wanted[row.pk] if call_id in answers]
        told = Told(row, pieces, metadata[row.pk], mine, brought, own, spent=spent[row.pk])
        found.append(told)
    _add_result_images(found, images)
    return found


def _call_ids(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _answers(session: AgentSession, ids: set[str]) -> dict[str, ToolCall]:
    if not ids:
        return {}
    calls = ToolCall.objects.filter(session=session, call_id__in=ids).order_by("-pk")
    return {call.call_id: call for call in calls}


def _add_result_images(found: Iterable[Told], images: dict[int, list[Attachment]]) -> None:
    by_call: dict[str, list[Attachment]] = defaultdict(list)
    for rows in images.values():
        for image in rows:
            if image.call_id:
                by_call[image.call_id].append(image)
    for told in found:
        told.result_images = {
            call.call_id: by_call[call.call_id]
            for call in (*told.calls, *told.answers)
            if call.call_id in by_call
        }


def _by_message(rows: Iterable[Any]) -> dict[int, list[Any]]:
    out: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        out[row.message_id].append(row)
    return out


def _spent(ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    out: dict[int, list[dict[str, Any]]] = defaultdict(list)
    names = [*(f"usage__{name}" for name in SPENT), "usage__cost"]
    for message, *values in SessionUsage.objects.filter(message__in=ids).values_list(
        "message", *names
    ):
        cost: Decimal | None = values.pop()
        out[message].append({**dict(zip(SPENT, values, strict=True)), "cost": cost})
    return out
