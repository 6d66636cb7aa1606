"""What Kimi CLI and Kimi Code write alike: contents in parts, results of tools, token counts."""

from __future__ import annotations

import json
import re
from typing import Any

from sessions_app import border
from sessions_app.agents.codex.content import image
from sessions_app.records import CALL, IMAGE, TEXT, THINKING, Block, ToolResult, UsageRecord

EXIT_CODE = re.compile(r"Command failed with exit code: (-?\d{1,9})\.\s*\Z")
# What the program says in the user's place where nothing else tells it apart.
INJECTED = ("<system-reminder>", "<system>", "<notification", "<git-context>")
COMMAND = re.compile(r"/(?!(?:skill|flow):)[a-z][\w:-]*(?:\s|\Z)")


def blocks(content: object) -> list[Block]:
    """Text, thoughts and images in order; a content is one text or a list of parts."""
    out = []
    for part in content if isinstance(content, list) else (content,):
        block = _block(part) if isinstance(part, dict) else Block(TEXT, _text(part))
        if block.text or block.kind == IMAGE:
            out.append(block)
    return out


def _block(part: dict[str, Any]) -> Block:
    kind = part.get("type")
    if kind == "text":
        return Block(TEXT, _text(part.get("text")))
    if kind == "think":
        return Block(THINKING, _text(part.get("think")))
    for name in ("image_url", "imageUrl"):
        if name in part:
            return image(part[name]) or Block(TEXT, "[image]")
    # Sounds, films and kinds to come: the raw record has them.
    return Block(TEXT, f"[{kind}]" if isinstance(kind, str) else _text(part))


def _text(value: object) -> str:
    if isinstance(value, str) or value is None:
        return value or ""
    return json.dumps(border.clean_json(value), ensure_ascii=False)


def call(call_id: object, name: object, arguments: object) -> Block:
    """A call of a tool with its input as written."""
    return Block(CALL, _text(arguments), word(call_id), word(name))


def function_call(told: dict[str, Any]) -> Block:
    """A call in the form of an API message: id and function, or id, name and arguments."""
    inner = fields(told.get("function")) or told
    return call(told.get("id"), inner.get("name"), inner.get("arguments"))


def result(call_id: str, output: object, message: object, *, is_error: bool) -> ToolResult:
    """What a tool answered; its own remark is told where it says more than the output."""
    said = blocks(output)
    texts = [block.text for block in said if block.kind != IMAGE]
    if isinstance(message, str) and message and (is_error or not texts):
        texts.append(message)
    text = "\n".join(texts)
    code = EXIT_CODE.search(text[-200:]) if is_error else None
    return ToolResult(
        call_id,
        text,
        is_error,
        images=[block for block in said if block.kind == IMAGE],
        exit_code=int(code[1]) if code else None,
    )


def usage(key: str, told: dict[str, Any], names: tuple[str, str, str, str]) -> UsageRecord:
    """`names`: input without cache, output with reasoning inside, cache read, cache written."""
    values = [told.get(name) for name in names]
    fresh, output, read, written = map(border.clean_count, values)
    return UsageRecord(
        key,
        input=fresh,
        output=output,
        cache_read=read,
        cache_write=written,
        flagged=not all(map(border.is_count, values)),
    )


def user_kind(said: list[Block]) -> str:
    """Who speaks in a user's message, where only its words tell it."""
    texts = [block.text for block in said if block.kind == TEXT]
    if texts and all(text.lstrip().startswith(INJECTED) for text in texts):
        return "injected"
    return "command" if texts and COMMAND.match(texts[0]) else "prompt"


def first_text(said: list[Block]) -> str:
    """The first words of a message, for the session's prompt."""
    return next((block.text for block in said if block.kind == TEXT), "")


def word(value: object) -> str:
    """A text; empty for anything else."""
    return value if isinstance(value, str) else ""


def fields(value: object) -> dict[str, Any]:
    """An object; empty for anything else."""
    return value if isinstance(value, dict) else {}
