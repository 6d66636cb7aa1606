"""Messages as programs send them -> records."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from sessions_app import border
from sessions_app.actions.append import Said
from sessions_app.api import message_shapes as shapes
from sessions_app.api.errors import RequestRefused
from sessions_app.records import (
    CALL,
    IMAGE,
    TEXT,
    THINKING,
    Block,
    MessageRecord,
    ToolResult,
    UsageRecord,
)

# What a message is for the reader, by who says it.
KINDS = {"user": "prompt", "assistant": "answer", "tool": "note", "system": "injected"}


def read_messages(told: Sequence[shapes.MessageIn]) -> list[Said]:
    """Raises RequestRefused for a key that stands twice and for images that are none."""
    keys = [message.key for message in told if message.key]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise RequestRefused("Two messages have the same key.", key=twice)
    return [_said(message) for message in told]


def _said(told: shapes.MessageIn) -> Said:
    blocks: list[Block] = []
    results: list[ToolResult] = []
    content = told.content
    if isinstance(content, str):
        blocks.append(Block(TEXT, content))
    else:
        for block in content:
            if isinstance(block, shapes.ToolResultBlock):
                results.append(_result(block, told.at))
            else:
                blocks.append(_block(block))
    record = MessageRecord(
        key=told.key or "",
        role=told.role,
        blocks=blocks,
        # Results stand at their calls; a message of nothing else is no prompt.
        kind="injected" if results and not blocks else KINDS[told.role],
        at=in_utc(told.at),
        model=told.model or "",
        metadata=told.metadata or {},
    )
    return Said(record, results, _usage(told))


def in_utc(at: datetime | None) -> datetime | None:
    """A time without a zone is meant in UTC."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _block(
    told: shapes.TextBlock | shapes.ThinkingBlock | shapes.ToolUseBlock | shapes.ImageBlock,
) -> Block:
    if isinstance(told, shapes.TextBlock):
        return Block(TEXT, told.text)
    if isinstance(told, shapes.ThinkingBlock):
        return Block(THINKING, told.thinking)
    if isinstance(told, shapes.ImageBlock):
        return _image(told)
    given = told.input
    text = given if isinstance(given, str) else _json(given)
    return Block(CALL, text, call_id=told.id, name=told.name)


def _json(value: object) -> str:
    return "" if value is None else msgspec.json.encode(border.clean_json(value)).decode()


def _image(told: shapes.ImageBlock) -> Block:
    try:
        data = base64.b64decode(told.source.data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestRefused("The data of an image is not base64.") from error
    return Block(IMAGE, media_type=told.source.media_type, data=data)


def _result(told: shapes.ToolResultBlock, at: datetime | None) -> ToolResult:
    content = told.content
    texts, images = [content] if isinstance(content, str) else [], []
    for block in [] if isinstance(content, str) else content:
        if isinstance(block, shapes.TextBlock):
            texts.append(block.text)
        else:
            images.append(_image(block))
    return ToolResult(
        told.tool_use_id, "\n".join(texts), told.is_error, in_utc(at), images, told.exit_code
    )


def _usage(told: shapes.MessageIn) -> UsageRecord | None:
    usage = told.usage
    if usage is None:
        return None
    return UsageRecord(
        key=told.usage_key or "",
        input=usage.input,
        output=usage.output,
        cache_read=usage.cache_read,
        cache_write=usage.cache_write,
        reasoning=usage.reasoning,
        cost=None if usage.cost is None else Decimal(repr(usage.cost)),
    )
