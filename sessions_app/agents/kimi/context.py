"""Kimi CLI's context: what the model sees now, for sessions that have nothing else."""

from __future__ import annotations

from sessions_app.agents.base import Line
from sessions_app.agents.kimi import content
from sessions_app.agents.kimi.lines import ContextLine, Memory
from sessions_app.records import TURN_ENDED, TURN_OPEN, MessageRecord, SessionRecord


def take(record: SessionRecord, memory: Memory, where: Line, line: ContextLine) -> None:
    """Add one line; there are no times and no tokens in it, and marks are not shown."""
    key = f"L{where.number}"
    match line.role:
        case "user":
            _user(record, memory, key, line)
        case "assistant":
            said = content.blocks(line.content)
            calls = [content.function_call(told) for told in line.tool_calls or ()]
            record.messages.append(MessageRecord(key, "assistant", said + calls, "answer"))
            record.turn = TURN_OPEN if calls else TURN_ENDED
            memory.has_content = True
        case "tool":
            _result(record, line)
        case "_system_prompt":
            said = content.blocks(line.content)
            record.messages.append(MessageRecord(key, "system", said, "injected"))


def _user(record: SessionRecord, memory: Memory, key: str, line: ContextLine) -> None:
    said = content.blocks(line.content)
    kind = "injected" if record.kind == "subagent" else content.user_kind(said)
    if not memory.has_prompt and (kind == "prompt" or record.kind == "subagent"):
        record.prompt = content.first_text(said)
        memory.has_prompt = bool(record.prompt)
    record.messages.append(MessageRecord(key, "user", said, kind))
    record.turn = TURN_OPEN
    memory.has_content = True


def _result(record: SessionRecord, line: ContextLine) -> None:
    """A tool's answer; its error is told by a first part only."""
    said = content.blocks(line.content)
    is_error = content.first_text(said).startswith("<system>ERROR")
    record.results.append(
        content.result(line.tool_call_id or "", line.content, None, is_error=is_error)
    )
    record.turn = TURN_OPEN
