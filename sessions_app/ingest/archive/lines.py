"""The lines and facts of our own archives, back into the shapes of the one door."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from sessions_app import border
from sessions_app.agents.lines import parse, when
from sessions_app.records import (
    CALL,
    IMAGE,
    TEXT,
    THINKING,
    Block,
    MessageRecord,
    RelationRecord,
    SessionRecord,
    SnapshotRecord,
    ToolResult,
    UsageRecord,
)

ROLES = ("user", "assistant", "system", "tool")
TOKENS = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")

ReadImage = Callable[[str], bytes]  # SHA-256 -> bytes; nothing for one that is not there


class Result(msgspec.Struct):
    """What a tool answered."""

    text: str = ""
    is_error: bool = False
    exit_code: int | None = None
    at: str | None = None
    images: list[ImageLine] = []


class ImageLine(msgspec.Struct):
    """An image, whose bytes are an entry of their own."""

    media_type: str
    sha256: str


class BlockLine(msgspec.Struct):
    """One piece of a message."""

    type: str
    text: str = ""
    id: str = ""
    name: str = ""
    input: str = ""
    media_type: str = ""
    sha256: str = ""
    result: Result | None = None
    metadata: dict[str, Any] = {}


class UsageLine(msgspec.Struct):
    """One billed response."""

    key: str
    model: str = ""
    at: str | None = None
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    cost: str | None = None
    summary: bool = False
    flagged: bool = False


class Line(msgspec.Struct):
    """A line of messages.jsonl."""

    role: str
    content: str = ""
    timestamp: str | None = None
    metadata: dict[str, Any] = {}
    key: str = ""
    kind: str = ""
    model: str = ""
    parent_key: str = ""
    blocks: list[BlockLine] | None = None
    usage: list[UsageLine] = []


class SnapshotFacts(msgspec.Struct):
    step: int
    at: str | None = None
    problem: str = ""
    messages_before: int | None = None


class RelationFacts(msgspec.Struct):
    kind: str
    parent_identity: str
    call_id: str = ""
    message_key: str = ""
    until: int | None = None


class Facts(msgspec.Struct):
    """What metadata.json tells; unknown fields are left alone."""

    id: str = ""
    created_at: str | None = None
    last_active: str | None = None
    ended_at: str | None = None
    status: str = ""
    work_dir: str = ""
    model: str = ""
    models: list[str] = []
    total_steps: int | None = None
    tags: list[str] = []
    description: str = ""
    current_task: str = ""
    progress: float | None = None
    name: str | None = None
    backend: str = ""
    backend_session_id: str = ""
    identity: str = ""
    kind: str = "main"
    turn: str = ""
    error: str = ""
    title: str = ""
    title_rank: int = 0
    prompt: str = ""
    host: str = ""
    git_branch: str = ""
    repository_url: str = ""
    agent_version: str = ""
    visibility: str = ""
    exit_code: int | None = None
    duration_seconds: float | None = None
    source: str = ""
    metadata: dict[str, Any] = {}
    snapshots: list[SnapshotFacts] = []
    relations: list[RelationFacts] = []
    artifact_names: dict[str, str] = {}
    usage: list[UsageLine] = []
    original: bool = False  # messages.jsonl is that of a session folder, byte for byte


class Read(NamedTuple):
    """A message with what its calls were answered, call by call, and what it cost."""

    message: MessageRecord
    results: list[ToolResult | None]
    call_metadata: list[dict[str, Any]]
    usages: list[UsageRecord]


def decode(data: bytes, kind: type[Any]) -> Any:
    """One document. Raises ValueError or msgspec.ValidationError for what is none of this kind."""
    return msgspec.convert(parse(data), kind)


def read_line(line: Line, key: str, image: ReadImage) -> Read:
    """A line of ours; a lost image leaves its message without it."""
    blocks: list[Block] = []
    results: list[ToolResult | None] = []
    metadata: list[dict[str, Any]] = []
    told = line.blocks
    if told is None:
        told = [BlockLine(TEXT, line.content)] if line.content else []
    for block in told:
        if block.type == CALL:
            blocks.append(Block(CALL, block.input, block.id, block.name))
            results.append(_result(block, image))
            metadata.append(block.metadata)
        elif block.type == IMAGE:
            if data := image(block.sha256):
                blocks.append(Block(IMAGE, media_type=block.media_type, data=data))
        elif block.type in (TEXT, THINKING):
            blocks.append(Block(block.type, block.text))
    role = line.role if line.role in ROLES else "system"
    message = MessageRecord(
        key, role, blocks, line.kind[:16], when(line.timestamp), line.model, line.parent_key,
        line.metadata,
    )  # fmt: skip
    return Read(message, results, metadata, [usage_record(usage, key) for usage in line.usage])


def _result(block: BlockLine, image: ReadImage) -> ToolResult | None:
    told = block.result
    if told is None:
        return None
    images = [
        Block(IMAGE, media_type=item.media_type, data=data)
        for item in told.images
        if (data := image(item.sha256))
    ]
    return ToolResult(
        block.id, told.text, told.is_error, when(told.at), images, told.exit_code, block.metadata
    )


def usage_record(told: UsageLine, message_key: str = "") -> UsageRecord:
    """A billed response; its key is the one that the tables use."""
    return UsageRecord(
        told.key, message_key, told.model, when(told.at),
        cost=_money(told.cost), summary=told.summary, flagged=told.flagged,
        **{name: getattr(told, name) for name in TOKENS},
    )  # fmt: skip


def _money(told: str | None) -> Decimal | None:
    try:
        return None if told is None else Decimal(told[:40])
    except ArithmeticError:
        return None


def session_record(facts: Facts) -> SessionRecord:
    """The facts without any conversation; snapshots that were torn before stay named."""
    return SessionRecord(
        agent="import",
        backend=facts.backend or "unknown",
        identity=facts.identity or f"import:{facts.id}",
        backend_session_id=facts.backend_session_id,
        kind=facts.kind if facts.kind in ("main", "subagent") else "main",
        title=facts.title,
        title_rank=min(max(facts.title_rank, 0), 6),
        prompt=facts.prompt,
        description=facts.description,
        model=facts.model,
        work_dir=facts.work_dir,
        git_branch=facts.git_branch,
        repository_url=facts.repository_url,
        agent_version=facts.agent_version,
        tags=facts.tags,
        created_at=moment(facts.created_at),
        last_active=moment(facts.last_active),
        turn=facts.turn[:16],
        error=facts.error,
        progress=facts.progress,
        current_task=facts.current_task,
        total_steps=facts.total_steps,
        exit_code=facts.exit_code,
        duration_seconds=facts.duration_seconds,
        metadata=facts.metadata,
        relations=[
            RelationRecord(
                item.kind, item.parent_identity, item.call_id, item.message_key, item.until
            )
            for item in facts.relations
            if item.kind in ("fork", "subagent") and border.is_count(item.until)
        ],
        snapshots=[
            SnapshotRecord(item.step, at=moment(item.at), problem=item.problem)
            for item in facts.snapshots
            if item.problem and 0 <= item.step < 2**63
        ],
    )


def moment(told: str | None) -> datetime | None:
    """A time of ours, which has its zone."""
    return when(told)
