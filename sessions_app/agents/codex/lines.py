"""The shape of a line in a Codex rollout, of every type at once."""

from __future__ import annotations

from typing import Any

import msgspec

# Whatever stands where an object should: it says nothing, but it spoils nothing either.
Odd = list[msgspec.Raw] | str | int | float | bool | None


class Part(msgspec.Struct, gc=False):
    """One piece of a message's content or of a tool's output."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    image_url: Any = None


# What was said: text, or pieces in order.
Parts = list[Part | str] | str | int | float | bool | None


class Output(Part, gc=False):
    """A tool's output where it is an object and not text."""

    content: Parts = None
    success: bool | None = None


class Tokens(msgspec.Struct, gc=False):
    """Numbers as Codex counts: input includes what was cached, output includes reasoning."""

    input_tokens: Any = 0
    cached_input_tokens: Any = 0
    cache_write_input_tokens: Any = 0
    output_tokens: Any = 0
    reasoning_output_tokens: Any = 0


class Info(msgspec.Struct, gc=False):
    """A token_count: the sum over the session so far, and the response before it."""

    total_token_usage: Tokens | Odd = None
    last_token_usage: Tokens | Odd = None


class Git(msgspec.Struct, gc=False):
    """Where the work stood when the session began."""

    branch: str | None = None
    repository_url: str | None = None


class ThreadItem(msgspec.Struct, gc=False):
    """An item_completed event's copy of a message."""

    type: str | None = None
    content: Parts = None


class Item(msgspec.Struct, gc=False):
    """The payload of a line; which fields are there depends on its type.

    One struct for all: the decoder skips what no field names (encrypted reasoning, tool lists)
    in its only pass over the line.
    """

    type: str | None = None
    id: str | None = None
    turn_id: str | None = None
    model: str | None = None
    cwd: str | None = None
    # messages and tools
    role: str | None = None
    content: Parts = None
    summary: Parts = None
    author: str | None = None
    recipient: str | None = None
    name: str | None = None
    namespace: str | None = None
    call_id: str | None = None
    arguments: Any = None
    input: Any = None
    action: Any = None
    status: Any = None
    output: Output | Parts = None
    tools: msgspec.Raw = msgspec.Raw()
    revised_prompt: str | None = None
    result: msgspec.Raw = msgspec.Raw()
    # events
    message: str | None = None
    error: Any = None
    info: Info | Odd = None
    item: ThreadItem | Odd = None
    thread_id: str | None = None
    thread_name: str | None = None
    new_thread_id: str | None = None
    agent_thread_id: str | None = None
    event_id: str | None = None
    # tokens
    response_id: str | None = None
    usage: Tokens | Odd = None
    # session_meta
    cli_version: str | None = None
    originator: str | None = None
    source: Any = None
    thread_source: Any = None
    model_provider: str | None = None
    forked_from_id: str | None = None
    forked_from_ordinal_exclusive: Any = None
    parent_thread_id: str | None = None
    git: Git | Odd = None
    base_instructions: Any = None
    instructions: str | None = None


class Envelope(msgspec.Struct, gc=False):
    """A line; before the envelope existed it was the item itself."""

    type: str | None = None
    timestamp: Any = None
    ordinal: Any = None  # its place in the conversation, which a fork goes on counting
    payload: Item | Odd = None


class IndexLine(msgspec.Struct, gc=False):
    """A line of session_index.jsonl: the name that a thread was given."""

    id: str | None = None
    thread_name: str | None = None
