"""The shape of a line in a Claude Code log."""

from __future__ import annotations

from typing import Any

import msgspec

# Whatever stands where an object should: it says nothing, but it spoils nothing either.
Odd = list[msgspec.Raw] | str | int | float | bool | None


class ImageSource(msgspec.Struct, gc=False):
    """Where an image or document block has its bytes."""

    type: str | None = None
    media_type: str | None = None
    data: str | None = None
    url: str | None = None


class Part(msgspec.Struct, gc=False):
    """One block of a message's content, of any type."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw()
    tool_use_id: str | None = None
    content: Part | list[Part | str] | str | None = None
    is_error: bool | None = None
    source: ImageSource | str | None = None
    title: str | None = None
    url: str | None = None


class CacheCreation(msgspec.Struct, gc=False):
    """Cache writes by how long they live."""

    ephemeral_1h_input_tokens: Any = None
    ephemeral_5m_input_tokens: Any = None


class OutputDetails(msgspec.Struct, gc=False):
    """What the output consists of."""

    thinking_tokens: Any = None


class Usage(msgspec.Struct, gc=False):
    """The tokens of one response; the same on each of its lines, or growing."""

    input_tokens: Any = None
    output_tokens: Any = None
    cache_read_input_tokens: Any = None
    cache_creation_input_tokens: Any = None
    cache_creation: CacheCreation | Odd = None
    output_tokens_details: OutputDetails | Odd = None


class Message(msgspec.Struct, gc=False):
    """What the model or the user said, or a piece of it."""

    id: str | None = None
    model: str | None = None
    content: list[Part | str] | str | None = None
    stop_reason: str | None = None
    usage: Usage | Odd = None


class Attachment(msgspec.Struct, gc=False):
    """Only queued_command is conversation: a prompt typed during a turn."""

    type: str | None = None
    prompt: list[Part | str] | str | None = None
    command_mode: str | None = msgspec.field(default=None, name="commandMode")


class ToolDetails(msgspec.Struct, gc=False):
    """Of a result's details only the sub-agent's id; the rest is skipped unread."""

    agent_id: Any = msgspec.field(default=None, name="agentId")


class ClaudeLine(msgspec.Struct, rename="camel", gc=False):
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
    is_sidechain: bool | None = None
    is_meta: bool | None = None
    is_compact_summary: bool | None = None
    is_api_error_message: bool | None = None
    request_id: str | None = None
    message: Message | str | None = None
    attachment: Attachment | Odd = None
    tool_use_result: ToolDetails | Odd = None
    cost_usd: Any = msgspec.field(default=None, name="costUSD")
    content: Any = None
    error: Any = None
    compact_metadata: Any = None
    summary: str | None = None
    leaf_uuid: str | None = None
    custom_title: str | None = None
    ai_title: str | None = None
    pr_number: Any = None
    pr_url: Any = None
    pr_repository: Any = None
