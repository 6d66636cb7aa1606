"""The lines of Kimi Code's wire, and what reading on needs to know of those before."""

from __future__ import annotations

from typing import Any

import msgspec

# Names of the token counts: input, output, cache read, cache written.
COUNTS = ("inputOther", "output", "inputCacheRead", "inputCacheCreation")


class WireLine(msgspec.Struct, rename="camel"):
    """A record of any type; the tool lists and other bulk are never decoded.

    What is an object in one type of record may be a text in another.
    """

    type: str = ""
    time: Any = None
    message: Any = None
    event: Any = None
    usage: Any = None
    error: Any = None
    reason: str | None = None
    model: str | None = None
    model_alias: str | None = None
    system_prompt: str | None = None
    cwd: str | None = None
    environment_disclosure: Any = None
    subagent_id: str | None = None
    parent_tool_call_id: str | None = None
    summary: Any = None
    protocol_version: str | None = msgspec.field(default=None, name="protocol_version")


class Memory(msgspec.Struct, array_like=True, omit_defaults=True):
    """What a later reading must know of the lines before it."""

    has_content: bool = False
    has_prompt: bool = False
    has_steps: bool = False
    has_folder: bool = False
    step: str = ""
    answer: str = ""  # the last step that was told as a message
    records: int = 0  # usage records since the step began
    system: str = ""  # the system prompt that was told, as a hash
    models: dict[str, str] = {}  # the name that the settings give a model -> its own
    model: str = ""
    agents: dict[str, str] = {}  # call -> the sub-agent that works for it
    spawned_by: str = ""
