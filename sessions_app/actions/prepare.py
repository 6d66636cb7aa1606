"""Records -> columns: cleaned, paired, laid out, compressed. Pure; runs in the parser process."""

from __future__ import annotations

from datetime import datetime

import msgspec

from sessions_app import border, packing
from sessions_app.actions import search_text
from sessions_app.actions.prepare_facts import NAME, clean_facts, clean_key, small
from sessions_app.actions.prepared import (
    PreparedCall,
    PreparedImage,
    PreparedMessage,
    PreparedResult,
    PreparedSession,
)
from sessions_app.records import CALL, IMAGE, Block, MessageRecord, SessionRecord, ToolResult
from sessions_app.records import extend_blocks as extend

MAX_TEXT = 8 * 1024 * 1024  # characters of one block that are stored; the raw record has all

# The calls of one part by their id, in order, each with the message that made it. Some providers
# begin to count anew with each response, so that an id may stand for several calls.
Calls = dict[str, list[tuple[PreparedCall, PreparedMessage]]]


def prepare(record: SessionRecord, *, now: datetime, replace: bool = False) -> PreparedSession:
    """`record` as columns. Times after `now` are brought back to it."""
    messages = [_message(item, now) for item in _merged(record.messages)]
    calls: Calls = {}
    for message in messages:
        for call in message.calls:
            calls.setdefault(call.call_id, []).append((call, message))
    results = [
        unpaired for result in record.results if (unpaired := _pair(result, calls, now)) is not None
    ]
    clean_facts(record, messages, now=now)
    record.messages, record.results = [], []
    return PreparedSession(record, messages, results, replace)


def _merged(records: list[MessageRecord]) -> list[MessageRecord]:
    """One record a key, in order of first appearance."""
    out: dict[str, MessageRecord] = {}
    for record in records:
        record.key = clean_key(record.key)
        have = out.setdefault(record.key, record)
        if have is not record:
            have.blocks = extend(have.blocks, record.blocks)
            have.model = record.model or have.model
            have.metadata = {**have.metadata, **record.metadata}
    return list(out.values())


def _message(record: MessageRecord, now: datetime) -> PreparedMessage:
    # A block without words says nothing, and in the columns it would leave no trace.
    said = (block for block in record.blocks if block.text or block.kind in (CALL, IMAGE))
    blocks = [_clean_block(block) for block in said]
    text, thinking, layout = packing.lay_out(blocks)
    return PreparedMessage(
        key=record.key,
        parent_key=clean_key(record.parent_key),
        role=record.role,
        kind=record.kind,
        model=border.clean_line(record.model, NAME),
        text=text,
        thinking=thinking,
        layout=layout,
        metadata=encode(record.metadata),
        at=border.clean_time(record.at, now=now),
        calls=[_call(block) for block in blocks if block.kind == CALL],
        images=[prepare_image(block) for block in blocks if block.kind == IMAGE],
        found=search_text.of_message(text, thinking),
    )


def encode(value: object) -> str:
    """JSON text for a metadata column; empty for nothing."""
    return msgspec.json.encode(border.clean_json(value)).decode() if value else ""


def _clean_block(block: Block) -> Block:
    text = border.clean_text(block.text, MAX_TEXT) if block.text else ""
    if block.kind != CALL and text is block.text:
        return block
    return Block(
        block.kind,
        text,
        clean_key(block.call_id),
        border.clean_line(block.name, NAME),
        block.media_type,
        block.data,
    )


def _call(block: Block) -> PreparedCall:
    found = search_text.of_call(block.text, "")
    return PreparedCall(block.call_id, block.name, *packing.pack_text(block.text), found=found)


def prepare_image(block: Block, call_id: str = "") -> PreparedImage:
    return PreparedImage(border.clean_line(block.media_type, 100), block.data, call_id)


def _pair(result: ToolResult, calls: Calls, now: datetime) -> PreparedResult | None:
    """Give the result to the first call of its id without one; what finds no call comes back.

    A result that is told again, when all calls of its id have theirs, changes nothing.
    """
    call_id = clean_key(result.call_id)
    same_id = calls.get(call_id)
    if same_id is None:
        call = PreparedCall(call_id, "", "", None, 0)
        answer_call(call, result, now)
        return PreparedResult(call, [prepare_image(block, call_id) for block in result.images])
    for call, message in same_id:
        if not call.ended:
            answer_call(call, result, now)
            message.images.extend(prepare_image(block, call_id) for block in result.images)
            break
    return None


def answer_call(call: PreparedCall, result: ToolResult, now: datetime) -> None:
    text = border.clean_text(result.text, MAX_TEXT)
    call.output_preview, call.output_packed, call.output_size = packing.pack_text(text)
    if call.found is not None:
        call.found = search_text.answered(call.found, call.input_preview, text)
    call.is_error = result.is_error
    call.exit_code = small(result.exit_code)
    call.ended, call.ended_at = True, border.clean_time(result.at, now=now)
    call.metadata = encode(result.metadata)
