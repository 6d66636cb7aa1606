"""What one event of Copilot CLI says: blocks, results, tokens."""

from __future__ import annotations

import json
from typing import Any

from sessions_app import border
from sessions_app.agents.copilot.lines import COUNTS
from sessions_app.records import CALL, TEXT, THINKING, Block, ToolResult, UsageRecord


def word(value: object) -> str:
    """A text; empty for anything else."""
    return value if isinstance(value, str) else ""


def name(value: object) -> str:
    """An id; empty for what many events may share, as a placeholder does."""
    return "" if " " in word(value) else word(value)


def fields(value: object) -> dict[str, Any]:
    """An object; empty for anything else."""
    return value if isinstance(value, dict) else {}


def written(value: object) -> str:
    """A tool's input as text: an object, or one that is written already."""
    if isinstance(value, str) or value is None:
        return value or ""
    return json.dumps(border.clean_json(value), ensure_ascii=False)


def answer(data: dict[str, Any], thoughts: str, spare_id: str) -> list[Block]:
    """Thoughts, words and calls of one answer; `spare_id` names calls that have no id."""
    blocks = [
        Block(THINKING, word(data.get("reasoningText")) or thoughts),
        Block(TEXT, word(data.get("content"))),
    ]
    blocks = [block for block in blocks if block.text]
    asked = data.get("toolRequests")
    for index, told in enumerate(asked if isinstance(asked, list) else ()):
        call = fields(told)
        call_id = word(call.get("toolCallId")) or f"{spare_id}:{index}"
        blocks.append(Block(CALL, written(call.get("arguments")), call_id, word(call.get("name"))))
    return blocks


def result(data: dict[str, Any], call_id: str) -> ToolResult:
    """What a tool answered. A command that failed is a success of the tool that ran it."""
    told = data.get("result")
    text = told if isinstance(told, str) else word(fields(told).get("content"))
    if not text:
        failure = data.get("error")
        text = word(fields(failure).get("message")) or word(failure)
    code = fields(data.get("shellExecution")).get("exitCode")
    has_code = isinstance(code, int) and not isinstance(code, bool) and abs(code) < 2**31
    is_error = data.get("success") is False or (has_code and code != 0)
    return ToolResult(call_id, text, is_error, exit_code=code if has_code else None)


def counts(told: dict[str, Any]) -> list[int]:
    """The counts as they stand, in the order of COUNTS; what is no count is 0."""
    return [border.clean_count(told.get(field)) for field in COUNTS]


def usage(key: str, model: str, numbers: list[int]) -> UsageRecord:
    """Tokens in the normal form."""
    total, output, read, write, reasoning = numbers
    return UsageRecord(
        key,
        model=model,
        input=max(total - read - write, 0),
        output=output,
        cache_read=read,
        cache_write=write,
        reasoning=min(reasoning, output),
    )


def is_odd(told: dict[str, Any]) -> bool:
    """Whether a count is no possible number."""
    return not all(border.is_count(told.get(field)) for field in COUNTS)


def address(context: dict[str, Any]) -> str:
    """Where the repository lives, if the event says so."""
    path, host = word(context.get("repository")), word(context.get("repositoryHost"))
    if not host and context.get("hostType") == "github":
        host = "github.com"
    return f"https://{host}/{path}" if host and path else ""
