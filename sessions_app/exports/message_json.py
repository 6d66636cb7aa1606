"""Messages as JSON: what was told, in the words in which it can be told again."""

from __future__ import annotations

import base64
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from sessions_app import packing
from sessions_app.exports.session_json import moment_json, usd
from sessions_app.models import Attachment, ToolCall
from sessions_app.packing import Piece
from sessions_app.queries.conversation import BROUGHT_BY, SPENT, Told
from sessions_app.records import CALL, TEXT, THINKING

# The bytes of a stored file, or None when they are gone: the caller knows the storage.
ReadStored = Callable[[str], bytes | None]


def message_json(told: Told, read_stored: ReadStored) -> dict[str, Any]:
    """`content` is a text where there is nothing but one text, else blocks."""
    row = told.row
    return {
        "seq": row.seq,
        "key": row.key,
        "role": row.role,
        "kind": row.kind or None,
        "model": row.model or None,
        "at": moment_json(row.at),
        "received_at": moment_json(row.received_at),
        "content": _content(told, read_stored),
        "usage": _usage(told),
        "metadata": told.metadata,
    }


def _content(told: Told, read_stored: ReadStored) -> str | list[dict[str, Any]]:
    blocks = [block for piece in told.pieces for block in _blocks(piece, told, read_stored)]
    blocks += [_result(call, told, read_stored) for call in told.answers]
    if not blocks:
        return ""
    if len(blocks) == 1 and blocks[0]["type"] == "text":
        return str(blocks[0]["text"])
    return blocks


def _blocks(piece: Piece, told: Told, read_stored: ReadStored) -> list[dict[str, Any]]:
    """A result stands after its call, unless another message brought it and tells it."""
    if piece.kind == TEXT:
        return [{"type": "text", "text": piece.text}]
    if piece.kind == THINKING:
        return [{"type": "thinking", "thinking": piece.text}]
    if piece.kind != CALL:
        return [_image(told.images[piece.ordinal], read_stored)]
    call = told.calls[piece.ordinal]
    found = [call_json(call)] if call.name else []  # without a name only its result was ever told
    if call.ended and BROUGHT_BY not in call.metadata:
        found.append(_result(call, told, read_stored))
    return found


def call_json(call: ToolCall) -> dict[str, Any]:
    """A call without its result."""
    text = packing.unpack_text(call.input_preview, call.input_packed)
    given: Any = text
    if text[:1] in "{[":
        try:
            given = msgspec.json.decode(text)
        except msgspec.DecodeError:
            given = text
    return {"type": "tool_use", "id": call.call_id, "name": call.name, "input": given}


def _result(call: ToolCall, told: Told, read_stored: ReadStored) -> dict[str, Any]:
    text = packing.unpack_text(call.output_preview, call.output_packed)
    images = [_image(image, read_stored) for image in told.result_images.get(call.call_id, [])]
    content: Any = [{"type": "text", "text": text}, *images] if images else text
    found = {
        "type": "tool_result",
        "tool_use_id": call.call_id,
        "content": content,
        "is_error": call.is_error,
    }
    return found if call.exit_code is None else {**found, "exit_code": call.exit_code}


def _image(image: Attachment, read_stored: ReadStored) -> dict[str, Any]:
    data = read_stored(image.sha256)
    if data is None:
        return {"type": "text", "text": f"[{image.media_type}, {image.size} bytes: gone]"}
    source = {
        "type": "base64",
        "media_type": image.media_type,
        "data": base64.b64encode(data).decode(),
    }
    return {"type": "image", "source": source}


def _usage(told: Told) -> dict[str, Any] | None:
    if not told.spent:
        return None
    sums: dict[str, Any] = {name: sum(item[name] for item in told.spent) for name in SPENT}
    costs = [item["cost"] for item in told.spent]
    known = [cost for cost in costs if cost is not None]
    sums["cost"] = usd(sum(known, Decimal(0))) if len(known) == len(costs) else None
    return sums
