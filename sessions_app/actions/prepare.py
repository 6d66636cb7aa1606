"""Records -> columns: cleaned, paired, laid out, compressed. Pure; runs in the parser process."""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec

from sessions_app import border, packing
from sessions_app.actions.prepared import (
    PreparedCall,
    PreparedImage,
    PreparedMessage,
    PreparedResult,
    PreparedSession,
)
from sessions_app.records import CALL, IMAGE, Block, MessageRecord, SessionRecord, ToolResult
from sessions_app.records import extend_blocks as extend

KEY, NAME, LINE = 200, 200, 500
MAX_TEXT = 8 * 1024 * 1024  # characters of one block that are stored; the raw record has all


def prepare(record: SessionRecord, *, now: datetime, replace: bool = False) -> PreparedSession:
    """`record` as columns. Times after `now` are brought back to it."""
    calls: dict[str, PreparedCall] = {}
    messages = [_message(item, calls, now) for item in _merged(record.messages)]
    by_call = {call.call_id: message for message in messages for call in message.calls}
    results = []
    for result in record.results:
        call = _answer(calls.get(clean_key(result.call_id)), result, now)
        images = [_image(block, call.call_id) for block in result.images]
        if call.call_id in by_call:
            by_call[call.call_id].images.extend(images)
        else:
            results.append(PreparedResult(call, images))
    _clean_facts(record, messages, now)
    record.messages, record.results = [], []
    return PreparedSession(record, messages, results, replace)


def _merged(records: list[MessageRecord]) -> list[MessageRecord]:
    """One record a key, in order of first appearance."""
    out: dict[str, MessageRecord] = {}
    for record in records:
        have = out.setdefault(record.key, record)
        if have is not record:
            have.blocks = extend(have.blocks, record.blocks)
            have.model = record.model or have.model
            have.metadata = {**have.metadata, **record.metadata}
    return list(out.values())


def _message(
    record: MessageRecord, calls: dict[str, PreparedCall], now: datetime
) -> PreparedMessage:
    blocks = [_clean_block(block) for block in record.blocks]
    text, thinking, layout = packing.lay_out(blocks)
    own = [_call(block) for block in blocks if block.kind == CALL]
    for call in own:
        calls.setdefault(call.call_id, call)
    return PreparedMessage(
        key=clean_key(record.key),
        parent_key=clean_key(record.parent_key),
        role=record.role,
        kind=record.kind,
        model=border.clean_line(record.model, NAME),
        text=text,
        thinking=thinking,
        layout=layout,
        metadata=encode(record.metadata),
        at=border.clean_time(record.at, now=now),
        calls=own,
        images=[_image(block) for block in blocks if block.kind == IMAGE],
    )


def clean_key(key: str) -> str:
    """A native id that fits its column; a longer one keeps its head and a hash."""
    if len(key) <= KEY and key.isascii() and "\0" not in key:
        return key
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{border.clean_text(key)[: KEY - 40]}~{digest}"


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
    return PreparedCall(block.call_id, block.name, *packing.pack_text(block.text))


def _image(block: Block, call_id: str = "") -> PreparedImage:
    return PreparedImage(border.clean_line(block.media_type, 100), block.data, call_id)


def _answer(call: PreparedCall | None, result: ToolResult, now: datetime) -> PreparedCall:
    """Fill in the result; the first one that a call gets stays."""
    if call is None:
        call = PreparedCall(clean_key(result.call_id), "", "", None, 0)
    if call.ended:
        return call
    text = border.clean_text(result.text, MAX_TEXT)
    call.output_preview, call.output_packed, call.output_size = packing.pack_text(text)
    call.is_error = result.is_error
    call.exit_code = _small(result.exit_code)
    call.ended, call.ended_at = True, border.clean_time(result.at, now=now)
    call.metadata = encode(result.metadata)
    return call


def _small(value: int | None) -> int | None:
    return value if value is not None and -(2**31) <= value < 2**31 else None


def _clean_facts(record: SessionRecord, messages: list[PreparedMessage], now: datetime) -> None:
    if record.last_active and record.last_active > now:
        # One line of a wrong clock must not make an old session look fresh.
        past = [item.at for item in messages if item.at and item.at < now]
        record.last_active = max(past, default=record.created_at)
    record.last_active = border.clean_time(record.last_active, now=now)
    record.created_at = border.clean_time(record.created_at, now=now)
    limits = {
        "title": 300, "model": NAME, "work_dir": 1000, "git_branch": 300,
        "repository_url": 1000, "agent_version": 100, "current_task": LINE,
        "backend": 32, "backend_session_id": 200, "identity": 400, "alias": 300,
    }  # fmt: skip
    for field, limit in limits.items():
        setattr(record, field, border.clean_line(getattr(record, field), limit))
    record.prompt = border.clean_text(record.prompt, LINE)
    record.description = border.clean_text(record.description, 20_000)
    record.error = border.clean_text(record.error, 20_000)
    record.metadata = border.clean_json(record.metadata)
    record.tags = [tag for tag in (border.clean_line(tag, 100) for tag in record.tags) if tag]
    record.exit_code = _small(record.exit_code)
    if record.progress is not None and not 0 <= record.progress <= 1:
        record.progress = None
    for snapshot in record.snapshots:
        snapshot.state = border.clean_json(snapshot.state)
