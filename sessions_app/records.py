"""Neutral shapes between the agents' files, the JSON API and the one door for writes.

They are msgspec structs, not dataclasses: a medium archive makes some 200,000 of them, and
they cross from the parser process to the writer as msgpack at a tenth of pickle's cost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

# What a block of a message is.
TEXT = "text"
THINKING = "thinking"
CALL = "tool_use"
IMAGE = "image"

# Keys that readers give to messages without an id of their own: byte or line in one file.
PLACE = re.compile(r"(?:@|L|line-)\d+")
LOOK_BACK = 64  # blocks of one message that a new one may be a longer form of

# In the metadata of a message: its place in a conversation whose forks go on counting.
ORDINAL = "ordinal"

# What the file says about the last turn (see formats: crash and end, one vocabulary).
TURN_OPEN = "open"
TURN_ENDED = "ended"
TURN_FAILED = "failed"
TURN_ABORTED = "aborted"

# How much a title is worth; a weaker one never replaces a stronger one.
TITLE_PROMPT, TITLE_SUMMARY, TITLE_RECORD, TITLE_AGENT, TITLE_CUSTOM, TITLE_PERSON = range(1, 7)


class Block(msgspec.Struct, array_like=True, omit_defaults=True):
    """One piece of a message, in the order in which it was said.

    `text`: the words (text, thinking), the tool's input as written (tool_use).
    `call_id` and `name` belong to tool_use; `media_type` and `data` (decoded) to image.
    """

    kind: str
    text: str = ""
    call_id: str = ""
    name: str = ""
    media_type: str = ""
    data: bytes = b""


class MessageRecord(msgspec.Struct, omit_defaults=True):
    """One message. `key` is unique within the session and the same on every reading.

    A record whose key is already known extends that message: `extend_blocks` says how.
    """

    key: str
    role: str  # user, assistant, system, tool
    blocks: list[Block] = []
    kind: str = ""  # prompt, answer, injected, command, compaction, error, note
    at: datetime | None = None
    model: str = ""
    parent_key: str = ""
    metadata: dict[str, Any] = {}


class ToolResult(msgspec.Struct, omit_defaults=True):
    """What a tool answered; the call may stand in an earlier part of the file."""

    call_id: str
    text: str = ""
    is_error: bool = False
    at: datetime | None = None
    images: list[Block] = []
    exit_code: int | None = None
    # Details for which the call itself has no place: agent id of a sub-agent, for example.
    metadata: dict[str, Any] = {}


class UsageRecord(msgspec.Struct, omit_defaults=True):
    """Tokens of one billed response, in the normal form.

    `input` excludes cache; `output` includes `reasoning`; `cache_write` includes
    `cache_write_1h`. `cost` (USD) only where the agent itself recorded one. `summary` marks a
    sum over a session that another source may tell response by response: it counts only
    while nothing better is known.
    """

    key: str
    message_key: str = ""
    model: str = ""
    at: datetime | None = None
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    cost: Decimal | None = None
    summary: bool = False
    flagged: bool = False  # a number in the file was impossible and was counted as 0

    @property
    def total(self) -> int:
        return self.input + self.output + self.cache_read + self.cache_write


class RelationRecord(msgspec.Struct, omit_defaults=True):
    """A link to another session of the same backend that the agent itself recorded.

    `message_key`: of a fork, its last message that is a copy of the parent's. `until`: of one
    that holds no copies, the first ORDINAL of the conversation that is not the parent's.
    """

    kind: str  # fork, subagent
    parent_identity: str
    call_id: str = ""
    message_key: str = ""
    until: int | None = None


class SnapshotRecord(msgspec.Struct, omit_defaults=True):
    """Saved state at an integer step; `state` is None when the file was torn."""

    step: int
    state: Any = None
    at: datetime | None = None
    problem: str = ""


class ArtifactRecord(msgspec.Struct, omit_defaults=True):
    """A file that belongs to the session; `source` is the absolute path to copy it from."""

    path: str
    source: str
    size: int = 0


class Problem(msgspec.Struct, omit_defaults=True):
    """A line or file that could not be read; everything around it was kept."""

    path: str
    reason: str
    line: int = 0  # from 1; 0 = the whole file
    sample: str = ""  # its first bytes, made printable


class SessionRecord(msgspec.Struct, omit_defaults=True):
    """What one reading of one source tells about one session.

    Every field that the source does not tell stays at its default and changes nothing.
    `identity` tells sessions of one backend apart (mostly the backend's own id).
    `joins` = only completes what an agent's own file says (clinvk), and never outranks it;
    `only_if_known` = a side file of titles that never makes a session. `alias` is another name
    by which the source knows the session.
    """

    agent: str
    backend: str
    identity: str
    backend_session_id: str = ""
    kind: str = "main"  # main, subagent
    joins: bool = False
    only_if_known: bool = False
    alias: str = ""

    title: str = ""
    title_rank: int = 0
    prompt: str = ""
    description: str = ""
    model: str = ""
    work_dir: str = ""
    git_branch: str = ""
    repository_url: str = ""
    agent_version: str = ""
    tags: list[str] = []
    created_at: datetime | None = None
    last_active: datetime | None = None

    turn: str = ""  # TURN_*: evidence from the file itself
    status: str = ""  # stated by the source: created, active, paused, completed, error, crashed
    error: str = ""
    progress: float | None = None
    current_task: str = ""
    total_steps: int | None = None
    exit_code: int | None = None
    duration_seconds: float | None = None
    metadata: dict[str, Any] = {}

    messages: list[MessageRecord] = []
    results: list[ToolResult] = []
    usages: list[UsageRecord] = []
    relations: list[RelationRecord] = []
    snapshots: list[SnapshotRecord] = []
    artifacts: list[ArtifactRecord] = []
    problems: list[Problem] = []


class Position(msgspec.Struct, omit_defaults=True):
    """How far a file was read: the byte after the last finished line, and the reader's memory.

    `version` is the reader's: a position written by another version starts again from 0.
    """

    offset: int = 0
    line: int = 0
    version: int = 0
    state: bytes = b""


class SessionFacts(msgspec.Struct):
    """What a resume command needs to know."""

    backend: str
    backend_session_id: str
    work_dir: str = ""
    host: str = ""
    kind: str = "main"


class _Placed(msgspec.Struct):
    ordinal: int | None = None


_PLACED = msgspec.json.Decoder(_Placed)


def seq_before(rows: Iterable[tuple[int, str]], until: int, known: int = 0) -> int:
    """The last of these messages (seq and metadata) before a place in their conversation.

    `known`: the answer when none of them stands before it.
    """
    for seq, metadata in rows:
        try:
            place = _PLACED.decode(metadata).ordinal if metadata else None
        except msgspec.MsgspecError:
            place = None
        if place is not None and place >= until:
            break
        known = seq
    return known


def tells_a_place(key: str) -> bool:
    """Whether a message's key only tells where it stands: in another file it is another message."""
    return PLACE.fullmatch(key) is not None


def extend_blocks(old: list[Block], new: list[Block]) -> list[Block]:
    """`old` followed by `new`, where a block that repeats or lengthens an earlier one replaces it.

    Agents write one response as several lines, and some older versions write a growing text
    again and again: a later block of the same kind that starts with the earlier text is that
    block, grown; a call is known by its id. Growth follows soon, so that of a message with
    thousands of blocks only the last ones are compared.
    """
    out = list(old)
    calls: dict[str, int] = {}
    for index, block in enumerate(out):
        if block.kind == CALL:
            calls.setdefault(block.call_id, index)
    for block in new:
        place = calls.get(block.call_id) if block.kind == CALL else _earlier(out, block)
        if place is not None:
            out[place] = block
            continue
        if block.kind == CALL:
            calls[block.call_id] = len(out)
        out.append(block)
    return out


def _earlier(blocks: list[Block], block: Block) -> int | None:
    for index in range(max(len(blocks) - LOOK_BACK, 0), len(blocks)):
        if blocks[index].kind == block.kind and _is_grown(blocks[index], block):
            return index
    return None


def _is_grown(have: Block, block: Block) -> bool:
    if block.kind == IMAGE:
        return have.data == block.data
    return bool(have.text) and block.text.startswith(have.text)
