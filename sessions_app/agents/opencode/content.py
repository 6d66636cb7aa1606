"""What one message of OpenCode says: the JSON of the message and of its parts -> records."""

from __future__ import annotations

import binascii
import re
from typing import Any

import msgspec

from sessions_app.agents.lines import when
from sessions_app.records import (
    CALL,
    IMAGE,
    TEXT,
    THINKING,
    TURN_ABORTED,
    TURN_ENDED,
    TURN_FAILED,
    TURN_OPEN,
    Block,
    ToolResult,
)

DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,", re.ASCII)
ABORTED = "MessageAbortedError"
GOES_ON = ("tool-calls", "unknown")  # the response ended, the turn did not


class Times(msgspec.Struct):
    """Epoch milliseconds."""

    created: Any = None
    completed: Any = None
    end: Any = None


class Model(msgspec.Struct, rename={"model_id": "modelID"}):
    """The model that a prompt was sent to."""

    model_id: Any = None


class Message(
    msgspec.Struct,
    rename={"parent_id": "parentID", "model_id": "modelID", "provider_id": "providerID"},
):
    """The `data` of a message, or a message file of the older tree."""

    role: str = ""
    time: Times = msgspec.field(default_factory=Times)
    parent_id: str | None = None
    model_id: str | None = None
    provider_id: str | None = None
    agent: str | None = None
    finish: str | None = None
    error: Any = None
    summary: Any = None  # true: this is the summary that a compaction left
    tokens: Any = None
    cost: Any = None

    @property
    def is_over(self) -> bool:
        """Whether OpenCode has done with this message."""
        return self.time.completed is not None or bool(self.error) or self.role != "assistant"


class Attached(msgspec.Struct):
    """A file that a tool gave back."""

    mime: str | None = None
    url: str | None = None
    filename: str | None = None


class Details(msgspec.Struct, rename={"session_id": "sessionId"}):
    """What a tool noted: the exit code of a shell, the session of a sub-agent."""

    exit: Any = None
    session_id: Any = None


class Tool(msgspec.Struct):
    """The state of a tool call."""

    status: str | None = None
    input: msgspec.Raw = msgspec.Raw()
    output: Any = None
    error: Any = None
    metadata: Details | None = None
    attachments: list[Attached] | None = None
    time: Times = msgspec.field(default_factory=Times)


class Part(Attached):
    """The `data` of a part, of any type."""

    type: str = ""
    text: str | None = None
    synthetic: bool | None = None  # put there by the program, not by the person
    ignored: bool | None = None  # shown to the person only
    tool: str | None = None
    state: Tool | None = None
    prompt: str | None = None  # of a sub-task: what it was told
    command: str | None = None


class Said(msgspec.Struct):
    """The content of one message. `added`: what the program put beside a person's words."""

    blocks: list[Block] = []
    added: list[Block] = []
    results: list[ToolResult] = []
    files: list[str] = []


def said(parts: list[tuple[str, Part]], *, is_over: bool) -> Said:
    """The parts with their ids as blocks. Of a call only the id of its part is surely unique."""
    out = Said([], [], [], [])
    for own_id, part in parts:
        if part.type == "tool" and part.state is not None:
            _tool(out, own_id, part, part.state, is_over=is_over)
        elif part.type == "file":
            _file(out, part)
        elif (block := _words(part)) is not None:
            (out.added if part.synthetic or part.ignored else out.blocks).append(block)
    return out


def _words(part: Part) -> Block | None:
    """Text, thinking, or a sub-task. OpenCode cuts the blanks at the end when a text is whole."""
    if part.type == "subtask":
        command = f"/{part.command}\n" if part.command else ""
        return Block(TEXT, f"{command}{part.prompt or ''}".rstrip())
    kind = {"text": TEXT, "reasoning": THINKING}.get(part.type)
    words = (part.text or "").rstrip()
    return Block(kind, words) if kind and words else None


def _file(out: Said, part: Attached) -> None:
    if block := picture(part):
        out.blocks.append(block)
    else:
        out.files.append(part.filename or part.url or "")


def picture(part: Attached) -> Block | None:
    """An image whose bytes are in the link itself."""
    found = DATA_URL.match(part.url or "")
    if found is None or not found[1].startswith("image/"):
        return None
    try:
        data = binascii.a2b_base64((part.url or "")[found.end() :])
    except ValueError:
        return Block(TEXT, f"[{found[1]}: not base64]")
    return Block(IMAGE, media_type=found[1], data=data)


def _tool(out: Said, own_id: str, part: Part, state: Tool, *, is_over: bool) -> None:
    if state.status == "pending" and not is_over:
        return  # its input is still being written
    words = bytes(state.input).decode("utf-8", "replace")
    out.blocks.append(Block(CALL, words, own_id, part.tool or ""))
    has_failed = state.status == "error"
    if not has_failed and state.output is None:
        return
    details = state.metadata or Details()
    answer = state.error if has_failed else state.output
    code = details.exit if isinstance(details.exit, int) else None
    result = ToolResult(
        own_id,
        answer if isinstance(answer, str) else msgspec.json.encode(answer).decode(),
        has_failed,
        when(state.time.end),
        exit_code=code,
    )
    result.images = [block for file in state.attachments or () if (block := picture(file))]
    if isinstance(details.session_id, str):
        result.metadata = {"agent_id": details.session_id}
    out.results.append(result)


def error_text(error: object) -> str:
    """`name: message` of a failed response."""
    if not isinstance(error, dict):
        return str(error) if error else ""
    data = error.get("data")
    message = data.get("message") if isinstance(data, dict) else None
    return ": ".join(word for word in (error.get("name"), message) if isinstance(word, str))


def is_aborted(error: object) -> bool:
    """Whether the person stopped the response."""
    return isinstance(error, dict) and error.get("name") == ABORTED


def turn_after(last: Message) -> str:
    """How the last turn stands after the last message."""
    if last.error:
        return TURN_ABORTED if is_aborted(last.error) else TURN_FAILED
    if last.role != "assistant" or last.time.completed is None or last.finish in GOES_ON:
        return TURN_OPEN
    return TURN_ENDED
