"""The shape of a line in a Qwen Code chat."""

from __future__ import annotations

from typing import Any

import msgspec

from sessions_app.agents.google_content import Content


class Message(msgspec.Struct, gc=False):
    """A content of the API, with its role."""

    parts: Content = None


class Usage(msgspec.Struct, rename="camel", gc=False):
    """What one response cost: the prompt includes what was cached."""

    prompt_token_count: Any = None
    cached_content_token_count: Any = None
    candidates_token_count: Any = None
    thoughts_token_count: Any = None
    total_token_count: Any = None


class CallResult(msgspec.Struct, rename="camel", gc=False):
    """How a tool call ended."""

    call_id: str | None = None
    status: str | None = None


class Event(msgspec.Struct, gc=False):
    """A line of telemetry; only a failed request is told nowhere else."""

    name: Any = msgspec.field(default=None, name="event.name")
    error_message: Any = None
    subagent_name: Any = None


class Payload(msgspec.Struct, rename="camel", gc=False):
    """What belongs to a subtype; the same name may mean another thing in another one."""

    display_text: Any = None
    custom_title: Any = None
    parent_session_id: Any = None
    model_id: Any = None
    phase: Any = None
    raw_command: Any = None
    state: Any = None
    error: Any = None
    info: Any = None
    compressed_history: Any = None
    ui_event: Event | None = None


class Origin(msgspec.Struct, rename="camel", gc=False):
    """Where a copied line comes from."""

    session_id: str | None = None


class QwenLine(msgspec.Struct, rename="camel", gc=False):
    """One line; what no field here names is skipped by the decoder."""

    type: str | None = None
    subtype: str | None = None
    uuid: str | None = None
    parent_uuid: str | None = None
    session_id: str | None = None
    timestamp: str | int | float | None = None
    cwd: str | None = None
    git_branch: str | None = None
    version: str | None = None
    model: str | None = None
    message: Message | None = None
    usage_metadata: Usage | None = None
    tool_call_result: CallResult | None = None
    system_payload: Payload | None = None
    provenance: str | None = None
    forked_from: Origin | None = None
    is_sidechain: bool | None = None
