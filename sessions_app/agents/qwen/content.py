"""What one Qwen Code line says: whose words, which tokens."""

from __future__ import annotations

from typing import Any

import msgspec

from sessions_app import border
from sessions_app.agents.google_content import Part, parts_of
from sessions_app.agents.qwen.lines import Message, Usage
from sessions_app.records import TEXT, Block, UsageRecord

CONTEXT = ("<qwen:", "<system-reminder>", "<session_context>")


def without_context(message: Message | None) -> tuple[list[Part | str], list[Part | str]]:
    """What hooks and the program put beside the person's words, and those words."""
    context: list[Part | str] = []
    own: list[Part | str] = []
    for part in parts_of(message.parts) if message is not None else ():
        is_context = (part.text or "").lstrip().startswith(CONTEXT)
        (context if is_context else own).append(part)
    return context, own


def first_text(history: Any) -> list[Block]:
    """The first words of a compressed history."""
    for content in history if isinstance(history, list) else ():
        parts = content.get("parts") if isinstance(content, dict) else None
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                return [Block(TEXT, part["text"])]
    return []


def usage_record(usage: Usage, key: str) -> UsageRecord:
    """Tokens in the normal form.

    Providers of Google's kind count thoughts beside the candidates, the others among them: only
    the total tells.
    """
    told = msgspec.structs.astuple(usage)
    prompt, cached, candidates, thoughts, total = map(border.clean_count, told)
    is_beside = thoughts > 0 and total == prompt + candidates + thoughts
    output = candidates + thoughts if is_beside else candidates
    return UsageRecord(
        key,
        key,
        input=max(prompt - cached, 0),
        output=border.clean_count(output),
        cache_read=cached,
        reasoning=min(thoughts, output),
        flagged=not all(map(border.is_count, told)) or cached > prompt or thoughts > output,
    )
