"""What one Gemini record says: blocks, results, tokens, and who speaks."""

from __future__ import annotations

import msgspec

from sessions_app import border
from sessions_app.agents.gemini.lines import Record, Thought, Tokens, ToolCall
from sessions_app.agents.google_content import FAILED, Said, exit_code, said, unique
from sessions_app.agents.lines import when
from sessions_app.records import CALL, THINKING, Block, ToolResult, UsageRecord

INJECTED = ("<session_context>", "<hook_context>")
COMMANDS = ("/", "?")
OVER = ("success", *FAILED)


def question(record: Record) -> tuple[Said, str]:
    """A user's record with its kind; without any kind it only carries results."""
    out = said(record.content, record.key, when(record.timestamp))
    if not out.blocks:
        return out, ""
    text = out.text().lstrip()
    if text.startswith(INJECTED) or out.results:
        return out, "injected"
    return out, "command" if text.startswith(COMMANDS) else "prompt"


def says_something(record: Record) -> bool:
    """Whether a person, the model or the program speaks, not only the context."""
    return record.type != "user" or question(record)[1] not in ("", "injected")


def prompt_text(record: Record, out: Said) -> str:
    """What the person typed, without the files that were put in its place."""
    return said(record.display_content, record.key, None).text() or out.text()


def answer(record: Record) -> Said:
    """The model's record: reasoning, words, calls; results stand in the calls."""
    out = said(record.content, record.key, when(record.timestamp))
    if record.thoughts:
        thoughts = [Block(THINKING, text) for item in record.thoughts if (text := _thought(item))]
        out.blocks = thoughts + [block for block in out.blocks if block.kind != THINKING]
    known = {block.call_id for block in out.blocks if block.kind == CALL}
    for index, call in enumerate(record.tool_calls or ()):
        call_id = call.id or f"{record.key}:call-{index}"
        if call_id not in known:
            words = bytes(call.args).decode("utf-8", "replace")
            out.blocks.append(Block(CALL, words, call_id, call.name or ""))
        if result := _result(call, call_id):
            out.results.append(result)
    return out


def _thought(thought: Thought) -> str:
    subject = f"**{thought.subject}**" if thought.subject else ""
    return f"{subject} {thought.description or ''}".strip()


def _result(call: ToolCall, call_id: str) -> ToolResult | None:
    """What the tool answered, if it has."""
    at = when(call.timestamp)
    inner = said(call.result, call_id, at)
    if not inner.results and not inner.blocks and call.status not in OVER:
        return None
    # A masked turn is written whole into each of its calls: of it only the own answer counts.
    results = [result for result in inner.results if result.call_id == call.id] or inner.results
    text = "\n".join(filter(None, [*(result.text for result in results), inner.text()]))
    is_error = call.status in FAILED or any(result.is_error for result in results)
    images = [image for result in results for image in result.images]
    metadata = {"agent_id": call.agent_id} if call.agent_id else {}
    return ToolResult(call_id, text, is_error, at, images, exit_code(text), metadata)


def usage_record(record: Record, tokens: Tokens, session: str) -> UsageRecord:
    """Tokens in the normal form: cached input apart, thoughts and tool prompts added."""
    told = msgspec.structs.astuple(tokens)
    every, output, cached, thoughts, tool = map(border.clean_count, told)
    key = unique(record.key, session)
    return UsageRecord(
        key,
        key,
        record.model or "",
        when(record.timestamp),
        input=border.clean_count(max(every - cached, 0) + tool),
        output=border.clean_count(output + thoughts),
        cache_read=cached,
        reasoning=thoughts,
        flagged=not all(map(border.is_count, told)) or cached > every,
    )
