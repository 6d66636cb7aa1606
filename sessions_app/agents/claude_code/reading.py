"""One reading of a Claude Code log: lines in, the parts of a session out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sessions_app import border
from sessions_app.agents.base import Line, SourceFile
from sessions_app.agents.claude_code.content import (
    INTERRUPTED,
    NO_RESPONSE,
    SYNTHETIC,
    Said,
    error_text,
    is_id,
    is_odd,
    said,
    shown_command,
    text_kind,
    usage_record,
)
from sessions_app.agents.claude_code.facts import Facts, Memory
from sessions_app.agents.claude_code.lines import (
    Attachment,
    ClaudeLine,
    Message,
    ToolDetails,
    Usage,
)
from sessions_app.agents.lines import when
from sessions_app.records import (
    TEXT,
    TITLE_CUSTOM,
    TURN_ABORTED,
    TURN_ENDED,
    TURN_FAILED,
    TURN_OPEN,
    Block,
    MessageRecord,
    Problem,
    SessionRecord,
    ToolResult,
    UsageRecord,
    extend_blocks,
)

GOES_ON = ("tool_use", "pause_turn")


class Reading:
    """Takes lines one by one; `part` hands over what they said since the last call."""

    def __init__(self, source: SourceFile, memory: Memory) -> None:
        self.memory = memory
        self.facts = Facts(source, memory)
        self.is_agent = self.facts.is_agent
        self._begin()

    def _begin(self) -> None:
        self.messages: dict[str, MessageRecord] = {}
        self.more: dict[str, list[Block]] = {}
        self.usages: dict[str, UsageRecord] = {}
        self.lines = 0

    def take(self, where: Line, line: ClaudeLine) -> None:
        """Add what one line says."""
        self.lines += 1
        at = when(line.timestamp)
        self.facts.take(line, at)
        own_id = line.uuid if is_id(line.uuid) else f"line-{where.number}"
        match line.type:
            case "assistant":
                self._assistant(own_id, line, at)
            case "user":
                self._user(own_id, where, line, at)
            case "system":
                self._system(own_id, line, at)
            case "attachment":
                self._attachment(own_id, line, at)
            case "summary":
                self.facts.summary(where, line)
            case "custom-title" | "ai-title":
                self.facts.titles(line)
            case "pr-link":
                self.facts.pull(line)

    def part(self, problems: list[Problem]) -> SessionRecord:
        """Everything since the last part, ready for the writer."""
        for key, blocks in self.more.items():
            message = self.messages[key]
            message.blocks = extend_blocks(message.blocks, blocks)
        record = self.facts.finish()
        record.messages = list(self.messages.values())
        record.usages = list(self.usages.values())
        record.problems += problems
        self._begin()
        return record

    def _message(
        self,
        key: str,
        role: str,
        kind: str,
        blocks: list[Block],
        line: ClaudeLine,
        at: datetime | None,
        metadata: dict[str, Any] | None = None,
    ) -> MessageRecord:
        self.memory.has_content = True
        have = self.messages.get(key)
        if have is not None:
            self.more.setdefault(key, []).extend(blocks)
            return have
        told = dict(metadata or {})
        if line.is_sidechain and not self.is_agent:
            told["sidechain"] = True
        message = MessageRecord(
            key, role, blocks, kind, at, parent_key=line.parent_uuid or "", metadata=told
        )
        self.messages[key] = message
        return message

    def _user(self, key: str, where: Line, line: ClaudeLine, at: datetime | None) -> None:
        message = line.message
        content = message.content if isinstance(message, Message) else message
        out = said(content, key, line.parent_uuid or key, at)
        if out.results:
            self._results(out.results, line)
        if not out.blocks:
            return
        kind = self._user_kind(line, out)
        if is_odd(line):
            key, kind = f"line-{where.number}", "note"
        self._human(key, kind, out, line, at)

    def _results(self, results: list[ToolResult], line: ClaudeLine) -> None:
        self.memory.has_content = True
        details = line.tool_use_result
        if isinstance(details, ToolDetails) and isinstance(details.agent_id, str):
            results[0].metadata = {"agent_id": details.agent_id}
        self.facts.record.results.extend(results)
        self._turn(line, TURN_OPEN)

    def _user_kind(self, line: ClaudeLine, out: Said) -> str:
        if line.is_compact_summary:
            return "compaction"
        if line.is_meta or line.is_sidechain or self.is_agent:
            return "injected"
        kinds = [text_kind(block.text) for block in out.blocks if block.kind == TEXT]
        if "prompt" in kinds or not kinds:
            # Beside a tool's result the program speaks, not the person.
            return "injected" if out.results else "prompt"
        return kinds[0]

    def _human(self, key: str, kind: str, out: Said, line: ClaudeLine, at: datetime | None) -> None:
        """A user's line, or a prompt that was typed during a turn."""
        texts = [block.text for block in out.blocks if block.kind == TEXT]
        if kind == "command":
            for block in out.blocks:
                block.text = shown_command(block.text)
                self._renamed(block.text)
        elif kind == "prompt" and not self.memory.has_prompt:
            self.facts.record.prompt = next(
                (text for text in texts if text_kind(text) == "prompt"), ""
            )
            self.memory.has_prompt = bool(self.facts.record.prompt)
        self._message(key, "user", kind, out.blocks, line, at)
        if any(text.startswith(INTERRUPTED) for text in texts):
            self._turn(line, TURN_ABORTED)
        elif kind == "prompt" or (self.is_agent and not line.is_meta):
            self._turn(line, TURN_OPEN)

    def _attachment(self, key: str, line: ClaudeLine, at: datetime | None) -> None:
        attachment = line.attachment
        if isinstance(attachment, Attachment) and attachment.type == "queued_command":
            out = said(attachment.prompt, key, key, at)
            kind = self._user_kind(line, out)
            if kind == "prompt" and attachment.command_mode not in (None, "prompt"):
                kind = "injected"  # what the program queued for itself
            if out.blocks:
                self._human(key, kind, out, line, at)

    def _assistant(self, own_id: str, line: ClaudeLine, at: datetime | None) -> None:
        message = line.message if isinstance(line.message, Message) else Message()
        out = said(message.content, own_id, own_id, at)
        self.facts.record.results.extend(out.results)
        if message.model == SYNTHETIC or line.is_api_error_message:
            self._synthetic(own_id, out, line, at)
            return
        key = message.id or own_id
        record = self._message(key, "assistant", "answer", out.blocks, line, at)
        record.model = message.model or record.model
        if self.is_agent or not line.is_sidechain:
            self.facts.record.model = message.model or self.facts.record.model
        if isinstance(message.usage, Usage):
            self._usage(usage_record(message.usage, self._usage_key(key, line), key, line, at))
        self._answered(key, message, out, line)

    def _usage_key(self, message_key: str, line: ClaudeLine) -> str:
        """The same in every copy of the line, and no other response's."""
        message = line.message
        told = message.id if isinstance(message, Message) else None
        own = line.uuid if is_id(line.uuid) else f"{self.facts.source.path.stem}/{message_key}"
        return told or line.request_id or own

    def _usage(self, usage: UsageRecord) -> None:
        have = self.usages.get(usage.key)
        if have is None or usage.total > have.total:
            self.usages[usage.key] = usage

    def _answered(self, key: str, message: Message, out: Said, line: ClaudeLine) -> None:
        if out.has_call:
            self.memory.call_message = key
            self._turn(line, TURN_OPEN)
        elif message.stop_reason:
            goes_on = message.stop_reason in GOES_ON
            self._turn(line, TURN_OPEN if goes_on else TURN_ENDED)
        else:
            # Older versions name no reason: words that call no tool end the turn.
            is_end = key != self.memory.call_message and any(b.kind == TEXT for b in out.blocks)
            self._turn(line, TURN_ENDED if is_end else TURN_OPEN)

    def _synthetic(self, key: str, out: Said, line: ClaudeLine, at: datetime | None) -> None:
        """What the program says in the model's place: an error, or nothing after a resume."""
        text = "\n".join(block.text for block in out.blocks)
        if text.strip() == NO_RESPONSE:
            self._message(key, "assistant", "note", out.blocks, line, at)
            return
        self._message(key, "assistant", "error", out.blocks, line, at)
        self.facts.record.error = text
        self._turn(line, TURN_FAILED)

    def _system(self, key: str, line: ClaudeLine, at: datetime | None) -> None:
        text = line.content if isinstance(line.content, str) else ""
        details: dict[str, Any] = {}
        if line.subtype == "compact_boundary":
            kind = "compaction"
            if isinstance(line.compact_metadata, dict):
                details["trigger"] = line.compact_metadata.get("trigger")
                details["pre_tokens"] = border.clean_count(line.compact_metadata.get("preTokens"))
        elif line.subtype in ("api_error", "error"):
            kind, text = "error", error_text(line)
        elif line.subtype == "local_command" and text:
            kind, text = "command", shown_command(text)
            self._renamed(text)
        elif line.subtype in ("api_refusal", "model_refusal_fallback") and text:
            kind = "note"
        else:
            return
        blocks = [Block(TEXT, text)] if text else []
        self._message(key, "system", kind, blocks, line, at, details)

    def _renamed(self, command: str) -> None:
        if command.startswith("/rename "):
            self.facts.title(command.removeprefix("/rename ").strip(), TITLE_CUSTOM)

    def _turn(self, line: ClaudeLine, turn: str) -> None:
        # The steps of a sub-agent inside its parent's file are inside one turn of the parent.
        if self.is_agent or not line.is_sidechain:
            self.facts.record.turn = turn
