"""The lines of Kimi CLI's two logs, and what reading on needs to know of those before."""

from __future__ import annotations

from typing import Any

import msgspec

# Names of the token counts: input, output, cache read, cache written.
COUNTS = ("input_other", "output", "input_cache_read", "input_cache_creation")


class Event(msgspec.Struct):
    """What happened, by name; sub-agents' events are nested in those of their parent."""

    type: str = ""
    payload: dict[str, Any] = {}


class WireLine(msgspec.Struct):
    """A line of wire.jsonl: the header, or an event with its time in seconds."""

    timestamp: Any = None
    message: Event | None = None
    protocol_version: str | None = None


class ContextLine(msgspec.Struct):
    """A line of context.jsonl: a message as the model sees it, or a mark with a role in `_`."""

    role: str = ""
    content: Any = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None


class OpenCall(msgspec.Struct, array_like=True):
    """A call whose arguments may go on in the next line."""

    message_key: str
    call_id: str
    name: str
    arguments: str


class Memory(msgspec.Struct, array_like=True, omit_defaults=True):
    """What a later reading must know of the lines before it."""

    has_content: bool = False
    has_prompt: bool = False
    step: str = ""
    is_interrupted: bool = False
    open_call: OpenCall | None = None
    agents: dict[str, str] = {}  # call -> the sub-agent that works for it
    spawned_by: str = ""
    kept: tuple[int, int] = (0, 0)  # size and time of the context whose bytes were kept
