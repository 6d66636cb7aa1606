"""The shape of a record in Gemini CLI's session files."""

from __future__ import annotations

from typing import Any

import msgspec

from sessions_app.agents.google_content import Content


class Thought(msgspec.Struct, gc=False):
    """A summary of reasoning."""

    subject: str | None = None
    description: str | None = None


class Tokens(msgspec.Struct, gc=False):
    """What one response cost: `input` includes `cached`, `output` excludes `thoughts`."""

    input: Any = None
    output: Any = None
    cached: Any = None
    thoughts: Any = None
    tool: Any = None


class ToolCall(msgspec.Struct, rename="camel", gc=False):
    """A tool call with its result; written when the tool has finished."""

    id: str | None = None
    name: str | None = None
    args: msgspec.Raw = msgspec.Raw()
    result: Content = None
    status: str | None = None
    timestamp: str | int | float | None = None
    agent_id: str | None = None


class Record(msgspec.Struct, rename="camel", gc=False):
    """A line of the record log, the whole of an old document, or a message inside of either."""

    session_id: str | None = None
    project_hash: str | None = None
    start_time: str | int | float | None = None
    last_updated: str | int | float | None = None
    kind: str | None = None
    summary: str | None = None
    id: str | None = None
    timestamp: str | int | float | None = None
    type: str | None = None
    content: Content = None
    display_content: Content = None
    tool_calls: list[ToolCall] | None = None
    thoughts: list[Thought] | None = None
    tokens: Tokens | None = None
    model: str | None = None
    messages: list[Record] | None = None
    set: Record | None = msgspec.field(default=None, name="$set")
    rewind_to: str | None = msgspec.field(default=None, name="$rewindTo")

    @property
    def key(self) -> str:
        """What tells messages apart: one id may serve a question and an answer."""
        name = self.id or str(self.timestamp or "")
        return f"{self.type}:{name}" if self.type and name else ""
