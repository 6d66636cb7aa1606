"""What one item of a Codex rollout says: blocks, who speaks, tool calls and their answers."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from sessions_app.agents.codex.lines import Item, Output, Part
from sessions_app.border import MAX_INT
from sessions_app.records import CALL, IMAGE, TEXT, THINKING, Block, ToolResult

INJECTED = (
    "<environment_context>", "<user_instructions>", "# AGENTS.md", "<permissions", "<skill",
    "<turn_aborted>", "<subagent_notification>",
)  # fmt: skip
COMMAND = "<user_shell_command>"
IDE = ("# Context from my IDE setup:", "# Files mentioned by the user:")
REQUEST = "## My request for Codex:"
IMAGE_TAG = re.compile(r"</?image\b[^>]*>")
DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.-]+)*;base64,", re.ASCII)
EXIT_CODE = re.compile(
    r"\A(?:(?:Chunk ID|Wall time|Original token count|Total output lines)[^\n]*\n)*"
    r"(?:Process exited with code|Exit code:) (-?\d{1,9})\b"
)
# What the vendor's server runs is over when its item is written; no output line follows.
HOSTED = ("web_search_call", "image_generation_call")


class _Verdict(msgspec.Struct):
    exit_code: Any = None


class _Wrapped(msgspec.Struct):
    """How older versions write a command's output: JSON inside a JSON string."""

    output: str
    metadata: _Verdict


WRAPPERS = ('{"output"', '{"metadata"')
WRAPPED = msgspec.json.Decoder(_Wrapped)


def shown(content: object) -> list[Block]:
    """Text and images in order."""
    blocks = []
    for part in content if isinstance(content, list) else (content,):
        if isinstance(part, Part):
            text = part.text or part.refusal
            block = image(part.image_url) if part.image_url else None
        else:
            text, block = part if isinstance(part, str) else None, None
        if block is not None:
            blocks.append(block)
        elif text:
            blocks.append(Block(TEXT, text))
    return blocks


def image(url: object) -> Block | None:
    """The picture in a data: URL; any other address stays text."""
    if isinstance(url, dict):
        url = url.get("url")
    if not isinstance(url, str) or not url:
        return None
    head = DATA_URL.match(url)
    if head is None:
        return Block(TEXT, url[:2000])
    return _picture(url[head.end() :], head[1] or "image/png")


def _picture(base64: str | bytes, media_type: str) -> Block:
    try:
        data = binascii.a2b_base64(base64)
    except ValueError:
        data = b""
    if not data:
        return Block(TEXT, f"[{media_type}: not base64]")
    return Block(IMAGE, media_type=media_type, data=data)


def thoughts(item: Item) -> list[Block]:
    """The summary of the reasoning, else the reasoning itself where it is not encrypted."""
    said = shown(item.summary) or shown(item.content)
    for block in said:
        if block.kind == TEXT:
            block.kind = THINKING
    return said


def prompt(content: object) -> tuple[str, list[Block]]:
    """(kind, blocks) of a message in the user's name: only a part of them is from a person."""
    blocks = [block for block in shown(content) if not IMAGE_TAG.fullmatch(block.text)]
    kinds = {_text_kind(block.text) for block in blocks if block.kind == TEXT}
    if "prompt" in kinds or not kinds:
        return "prompt", [_request(block) for block in blocks]
    return "command" if "command" in kinds else "injected", blocks


def _text_kind(text: str) -> str:
    text = text.lstrip()
    if text.startswith(COMMAND):
        return "command"
    return "injected" if text.startswith(INJECTED) else "prompt"


def _request(block: Block) -> Block:
    """An editor puts open files and the selection in front of what the person wrote."""
    if block.text.lstrip().startswith(IDE):
        asked = block.text.partition(REQUEST)[2].strip()
        return Block(TEXT, asked) if asked else block
    return block


def plain(blocks: Iterable[Block]) -> str:
    """The words of a message."""
    return "\n".join(block.text for block in blocks if block.kind == TEXT)


def call(item: Item, own_id: str) -> Block:
    """A tool call of any type, its input as it was written."""
    name, words = item.name, item.arguments
    if not name:
        kind = (item.type or "").removesuffix("_call")
        name = "" if kind in ("function", "custom_tool") else kind
    if item.namespace:
        name = f"{item.namespace}.{name}"
    if words is None:
        others = (item.input, item.action, item.revised_prompt)
        words = next((other for other in others if other is not None), "")
    text = words if isinstance(words, str) else _as_text(words)
    return Block(CALL, text, item.call_id or item.id or own_id, name)


def _as_text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def hosted_result(item: Item, call_id: str, at: datetime | None) -> ToolResult | None:
    """The answer inside the call itself, for tools that run at the vendor's."""
    if item.type not in HOSTED:
        return None
    result = ToolResult(call_id, is_error=item.status == "failed", at=at)
    if item.type == "image_generation_call" and bytes(item.result).startswith(b'"'):
        picture = _picture(bytes(item.result).strip(b'"'), "image/png")
        result.images = [picture] if picture.kind == IMAGE else []
    return result


def answer(item: Item, own_id: str, at: datetime | None) -> ToolResult:
    """What a tool answered: text, a list of parts, or an object around one of these."""
    output, call_id = item.output, item.call_id or own_id
    if isinstance(output, str):
        text, exit_code = unwrapped(output)
        return ToolResult(call_id, text, exit_code not in (None, 0), at, exit_code=exit_code)
    blocks = shown(output)
    if isinstance(output, Output):
        blocks += shown(output.content)
    text, exit_code = unwrapped(plain(blocks) or bytes(item.tools).decode("utf-8", "replace"))
    failed = isinstance(output, Output) and output.success is False
    images = [block for block in blocks if block.kind == IMAGE]
    return ToolResult(call_id, text, failed or exit_code not in (None, 0), at, images, exit_code)


def unwrapped(text: str) -> tuple[str, int | None]:
    """(output, exit code) of a command."""
    if text.startswith(WRAPPERS):
        try:
            wrapped = WRAPPED.decode(text)
        except (msgspec.MsgspecError, RecursionError):
            return text, None
        code = wrapped.metadata.exit_code
        return wrapped.output, code if type(code) is int else None
    found = EXIT_CODE.match(text)
    return text, int(found[1]) if found else None


def failure(item: Item) -> str:
    """The words of an error, wherever they stand."""
    error = item.error
    if isinstance(error, dict):
        error = error.get("message") or _as_text(error)
    return error if isinstance(error, str) and error else item.message or ""


def parent(item: Item) -> tuple[str, str]:
    """(kind of relation, id of the parent) as session_meta tells them; the id may be unknown."""
    spawned = item.source.get("subagent") if isinstance(item.source, dict) else None
    if spawned or item.thread_source == "subagent":
        thread = spawned.get("thread_spawn") if isinstance(spawned, dict) else None
        told = thread.get("parent_thread_id") if isinstance(thread, dict) else None
        return "subagent", told if isinstance(told, str) else item.parent_thread_id or ""
    return ("fork", item.forked_from_id) if item.forked_from_id else ("", "")


def instructions(item: Item) -> str:
    """The system prompt that the session began with."""
    base = item.base_instructions
    if isinstance(base, dict):
        base = base.get("text")
    return base if isinstance(base, str) and base else item.instructions or ""


def inherited(item: Item, ordinal: int | None) -> int | None:
    """Where a fork that holds only its own turns begins: what stands before is its parent's."""
    until = item.forked_from_ordinal_exclusive
    is_place = type(until) is int and 0 < until <= MAX_INT
    return until if is_place and ordinal is not None and ordinal >= until else None
