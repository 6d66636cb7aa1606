"""The events of Copilot CLI, and what reading on needs to know of those before."""

from __future__ import annotations

from typing import Any

import msgspec

# Names of the token counts; input includes both kinds of cache, output includes reasoning.
COUNTS = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens", "reasoningTokens")


class CopilotLine(msgspec.Struct, rename="camel", gc=False):
    """An event of any type; what `data` holds depends on the type."""

    type: str = ""
    id: Any = None
    timestamp: Any = None
    agent_id: Any = None
    data: Any = None


class Told(msgspec.Struct, array_like=True):
    """Tokens of one model: what the last shutdown summed up, and what was told since."""

    sums: list[int]
    since: list[int]


class AgentMemory(msgspec.Struct, array_like=True, omit_defaults=True):
    """What a later reading must know of one agent: the main one or a sub-agent."""

    is_told: bool = False  # somebody has said something
    has_prompt: bool = False
    model: str = ""
    turn: str = ""
    goes_on: bool = False  # its last answer called tools
    calls: list[str] = []  # that an answer asked for and that have no result yet
    thoughts: str = ""  # told on their own, before the answer that they lead to
    runs: dict[str, tuple[str, str]] = {}  # call that no answer asked for -> name and input
    spawned: dict[str, str] = {}  # call -> the sub-agent that works for it


class Memory(msgspec.Struct, array_like=True, omit_defaults=True):
    """What a later reading must know of the lines before it."""

    session: str = ""
    work_dir: str = ""
    has_records: bool = False  # responses tell their tokens one by one
    agents: dict[str, AgentMemory] = {}  # the main one is ""
    told: dict[str, Told] = {}  # by model
