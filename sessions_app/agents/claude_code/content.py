"""What one line of a Claude Code log says: blocks, results, tokens."""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from datetime import datetime
from typing import TypeGuard

import msgspec

from sessions_app import border
from sessions_app.agents.claude_code.lines import (
    CacheCreation,
    ClaudeLine,
    ImageSource,
    Message,
    OutputDetails,
    Part,
    Usage,
)
from sessions_app.records import CALL, IMAGE, TEXT, THINKING, Block, ToolResult, UsageRecord

SYNTHETIC = "<synthetic>"
NO_RESPONSE = "No response requested."
INTERRUPTED = "[Request interrupted"
COMMANDS = ("<command-", "<local-command-", "<bash-")
INJECTED = ("<system-reminder>", "<task-notification>", "<ide_", "Caveat:")
CONTINUED = "This session is being continued"
COMMAND_NAME = re.compile(r"<command-name>(.*?)</command-name>", re.DOTALL)
COMMAND_ARGS = re.compile(r"<command-args>(.*?)</command-args>", re.DOTALL)
OUTPUT_TAG = re.compile(r"</?(?:local-command|bash)-[a-z]+>")
EXIT_CODE = re.compile(r"(?:Error: )?Exit code (\d{1,9})\b")


class Said(msgspec.Struct):
    """The content of one message: blocks in order, and the results that it carries."""

    blocks: list[Block]
    results: list[ToolResult]
    has_call: bool = False


def said(
    content: Sequence[Part | str] | None, own_id: str, parent_id: str, at: datetime | None
) -> Said:
    """`own_id` names calls that have no id of their own, `parent_id` the results of such calls."""
    out = Said([], [])
    nameless_calls = nameless_results = 0
    for part in [content] if isinstance(content, str) else content or ():
        if isinstance(part, str):
            part = Part(type="text", text=part)
        kind = part.type or ""
        if kind.endswith("tool_result"):
            out.results.append(tool_result(part, f"{parent_id}:{nameless_results}", at))
            nameless_results += not part.tool_use_id
        elif kind in ("tool_use", "server_tool_use"):
            # What the vendor's server runs is answered inside the same response.
            out.has_call = out.has_call or kind == "tool_use"
            words = bytes(part.input).decode("utf-8", "replace")
            call_id = part.id or f"{own_id}:{nameless_calls}"
            out.blocks.append(Block(CALL, words, call_id, part.name or ""))
            nameless_calls += not part.id
        elif block := plain_block(part):
            out.blocks.append(block)
    return out


def plain_block(part: Part) -> Block | None:
    """Text, thinking, image or document; None for what shows nothing."""
    if part.type == "thinking":
        return Block(THINKING, part.thinking) if part.thinking else None
    if part.type in ("image", "document") and isinstance(part.source, ImageSource):
        return attached(part.source)
    text = part.text
    if text is None and (part.title or part.url):  # a hit of a web search
        text = f"{part.title or ''} {part.url or ''}".strip()
    return Block(TEXT, text) if text else None


def attached(source: ImageSource) -> Block | None:
    """The decoded bytes; a link or a text document stays text."""
    if source.type == "text" and source.data:
        return Block(TEXT, source.data)
    if not source.data:
        return Block(TEXT, source.url) if source.url else None
    try:
        data = binascii.a2b_base64(source.data)
    except ValueError:
        return Block(TEXT, f"[{source.media_type or 'image'}: not base64]")
    return Block(IMAGE, media_type=source.media_type or "", data=data)


def tool_result(part: Part, spare_id: str, at: datetime | None) -> ToolResult:
    """What a tool answered, its text parts joined."""
    content = part.text if part.content is None else part.content
    if isinstance(content, Part):
        content = [content]
    inner = said(content, spare_id, spare_id, at).blocks
    text = "\n".join(block.text for block in inner if block.kind == TEXT)
    result = ToolResult(part.tool_use_id or spare_id, text, bool(part.is_error), at)
    result.images = [block for block in inner if block.kind == IMAGE]
    if result.is_error and (found := EXIT_CODE.match(text)):
        result.exit_code = int(found[1])
    return result


def text_kind(text: str) -> str:
    """Who speaks in a user's line: the person, a command, or the program itself."""
    text = text.lstrip()
    if text.startswith(COMMANDS):
        return "command"
    if text.startswith(INJECTED):
        return "injected"
    if text.startswith(INTERRUPTED):
        return "note"
    return "compaction" if text.startswith(CONTINUED) else "prompt"


def shown_command(text: str) -> str:
    """`/x args` instead of the tags around it; the output of a command without its tags."""
    if name := COMMAND_NAME.search(text):
        arguments = COMMAND_ARGS.search(text)
        return f"{name[1]} {arguments[1] if arguments else ''}".strip()
    return OUTPUT_TAG.sub("", text).strip() or text


def usage_record(
    usage: Usage, key: str, message_key: str, line: ClaudeLine, at: datetime | None
) -> UsageRecord:
    """Tokens in the normal form; Claude's input excludes the cache already."""
    cache = usage.cache_creation
    lives = cache if isinstance(cache, CacheCreation) else CacheCreation()
    details = usage.output_tokens_details
    reasoning = details.thinking_tokens if isinstance(details, OutputDetails) else None
    counts = [
        usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens,
        usage.cache_creation_input_tokens, lives.ephemeral_1h_input_tokens,
        lives.ephemeral_5m_input_tokens, reasoning,
    ]  # fmt: skip
    flagged = False
    for index, count in enumerate(counts):
        if type(count) is not int or not 0 <= count <= border.MAX_INT:
            flagged = flagged or not border.is_count(count)
            counts[index] = border.clean_count(count)
    tokens, output, read, write, hour, minutes, reasoning = counts
    message = line.message
    return UsageRecord(
        key,
        message_key,
        (message.model if isinstance(message, Message) else None) or "",
        at,
        input=tokens,
        output=output,
        cache_read=read,
        cache_write=write or border.clean_count(hour + minutes),
        cache_write_1h=min(hour, write or hour),
        reasoning=min(reasoning, output),
        cost=border.clean_money(line.cost_usd) if line.cost_usd is not None else None,
        flagged=flagged,
    )


def error_text(line: ClaudeLine) -> str:
    """The message of a system line that tells of a failed request."""
    error, number = line.error, ""
    while isinstance(error, dict):
        number = str(error.get("status") or number)
        text = error.get("formatted") or error.get("message")
        if isinstance(text, str):
            return text
        error = error.get("error")
    if isinstance(line.content, str) and line.content:
        return line.content
    return error if isinstance(error, str) else f"API error {number}".strip()


def is_id(text: str | None) -> TypeGuard[str]:
    """Whether `text` can name a line: not a placeholder that many lines share."""
    return bool(text) and " " not in str(text)


def is_odd(line: ClaudeLine) -> bool:
    """Whether a user's line holds bare words where a message or blocks should be."""
    message = line.message
    if not isinstance(message, Message):
        return True
    content = message.content
    return isinstance(content, list) and all(isinstance(part, str) for part in content)
