"""What reading on in a Codex rollout needs to know of the lines before."""

from __future__ import annotations

import msgspec

from sessions_app.agents.codex.usage import Meter
from sessions_app.records import MessageRecord


class Group(msgspec.Struct, omit_defaults=True):
    """The items of one response: what comes next may still belong to them.

    `leads`: its usage stood before its first item (versions up to 0.4x); there the outputs of
    its calls stand between its items and do not end it.
    """

    key: str = ""
    ordinal: int | None = None
    open: bool = False
    said: bool = False
    billed: bool = False
    leads: bool = False
    calls: list[str] = []


class Memory(msgspec.Struct, omit_defaults=True):
    """The memory that stands in a position."""

    identity: str = ""
    kind: str = "main"
    is_told: bool = False  # the first session_meta was seen; those behind it are copies
    work_dir: str = ""
    has_prompt: bool = False
    has_tasks: bool = False  # turns are marked, so that messages are no evidence of their end
    has_messages: bool = False  # response items tell them, so that events only repeat them
    error: str = ""
    group: Group = msgspec.field(default_factory=Group)
    meter: Meter = msgspec.field(default_factory=Meter)
    spawned: dict[str, str] = {}
    waiting: list[MessageRecord] = []
    unknown: list[str] = []
