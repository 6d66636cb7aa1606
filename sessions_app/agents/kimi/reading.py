"""One reading of Kimi CLI's wire: events in, the parts of a session out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sessions_app.agents.base import Line
from sessions_app.agents.kimi import content
from sessions_app.agents.kimi.lines import COUNTS, Event, Memory, OpenCall, WireLine
from sessions_app.agents.lines import when
from sessions_app.records import (
    TURN_ENDED,
    TURN_FAILED,
    TURN_OPEN,
    Block,
    MessageRecord,
    SessionRecord,
    extend_blocks,
)

UNIQUE = 16  # characters; a shorter message id is not the only one of its kind in the world

# Asides, which are no part of the turn: who speaks, of what kind, and which field holds it.
ASIDES = {
    "PlanDisplay": ("assistant", "note", "content"),
    "Notification": ("system", "injected", "body"),
    "BtwBegin": ("user", "command", "question"),
    "BtwEnd": ("assistant", "note", "response"),
}


class Reading:
    """Takes lines one by one into `record`; `part` hands it over and begins a new one."""

    def __init__(self, memory: Memory, record: SessionRecord) -> None:
        self.memory = memory
        self.record = record
        self.events: dict[str, Callable[[dict[str, Any]], None]] = {
            "TurnBegin": self._turn_begin,
            "SteerInput": self._user,
            "TurnEnd": self._turn_end,
            "StepBegin": self._step_begin,
            "StepInterrupted": self._step_interrupted,
            "ContentPart": self._content_part,
            "ToolCall": self._tool_call,
            "ToolCallPart": self._tool_call_part,
            "ToolResult": self._tool_result,
            "StatusUpdate": self._status,
            "SubagentEvent": self._subagent,
            "CompactionBegin": self._compaction,
        }
        self._begin()

    def _begin(self) -> None:
        self.messages: dict[str, MessageRecord] = {}
        self.more: dict[str, list[Block]] = {}

    def part(self) -> SessionRecord:
        """Everything since the last part; what follows is told of the same session."""
        for key, more in self.more.items():
            self.messages[key].blocks = extend_blocks(self.messages[key].blocks, more)
        record = self.record
        record.messages += self.messages.values()
        self.record = SessionRecord(
            record.agent,
            record.backend,
            record.identity,
            record.backend_session_id,
            record.kind,
            model=record.model,
        )
        self._begin()
        return record

    def take(self, where: Line, line: WireLine) -> None:
        """Add what one line says."""
        if line.protocol_version:
            self.record.metadata["protocol"] = line.protocol_version
        if line.message is None:
            return
        self.at = when(line.timestamp)
        # Forks copy lines whole, so that the time of a line is the same in every copy.
        self.mark = repr(line.timestamp) if self.at else f"line-{where.number}"
        self._times(self.at)
        self._event(line.message)

    def _times(self, at: datetime | None) -> None:
        record = self.record
        if at is not None:
            record.created_at = min(record.created_at or at, at)
            record.last_active = max(record.last_active or at, at)

    def _event(self, event: Event) -> None:
        if event.type != "ToolCallPart":
            self.memory.open_call = None
        if event.type in ASIDES:
            role, kind, field = ASIDES[event.type]
            self._message(self._key("aside"), role, kind, content.blocks(event.payload.get(field)))
        elif event.type in self.events:
            self.events[event.type](event.payload)

    def _key(self, kind: str) -> str:
        return self.mark if self.at is None else f"{kind}-{self.mark}"

    def _message(self, key: str, role: str, kind: str, said: list[Block]) -> None:
        self.memory.has_content = True
        if key in self.messages:
            self.more.setdefault(key, []).extend(said)
        else:
            message = MessageRecord(key, role, said, kind, self.at)
            if role == "assistant":
                message.model = self.record.model
            self.messages[key] = message

    def _turn_begin(self, payload: dict[str, Any]) -> None:
        self.record.turn = TURN_OPEN
        self.memory.is_interrupted = False
        self._user(payload)

    def _user(self, payload: dict[str, Any]) -> None:
        said = content.blocks(payload.get("user_input"))
        kind = "injected" if self.record.kind == "subagent" else content.user_kind(said)
        if not self.memory.has_prompt and (kind == "prompt" or self.record.kind == "subagent"):
            self.record.prompt = content.first_text(said)
            self.memory.has_prompt = bool(self.record.prompt)
        self._message(self._key("turn"), "user", kind, said)

    def _turn_end(self, payload: dict[str, Any]) -> None:
        self.record.turn = TURN_FAILED if self.memory.is_interrupted else TURN_ENDED

    def _step_begin(self, payload: dict[str, Any]) -> None:
        self.record.turn = TURN_OPEN
        self.memory.step = self._key("step")
        self.memory.is_interrupted = False

    def _step_interrupted(self, payload: dict[str, Any]) -> None:
        # The wire does not say whether an error or the user did it.
        self.memory.is_interrupted = True
        self.record.turn = TURN_FAILED

    def _answer(self, said: list[Block]) -> str:
        key = self.memory.step = self.memory.step or self._key("step")
        self._message(key, "assistant", "answer", said)
        return key

    def _content_part(self, payload: dict[str, Any]) -> None:
        self._answer(content.blocks([payload]))

    def _tool_call(self, payload: dict[str, Any]) -> None:
        block = content.function_call(payload)
        key = self._answer([block])
        self.memory.open_call = OpenCall(key, block.call_id, block.name, block.text)

    def _tool_call_part(self, payload: dict[str, Any]) -> None:
        told = self.memory.open_call
        if told is not None:
            told.arguments += content.word(payload.get("arguments_part"))
            block = content.call(told.call_id, told.name, told.arguments)
            self._message(told.message_key, "assistant", "answer", [block])

    def _tool_result(self, payload: dict[str, Any]) -> None:
        call_id = content.word(payload.get("tool_call_id"))
        told = content.fields(payload.get("return_value"))
        told = told or {"output": payload.get("return_value")}
        result = content.result(
            call_id, told.get("output"), told.get("message"), is_error=told.get("is_error") is True
        )
        result.at = self.at
        if agent := self.memory.agents.pop(call_id, ""):
            result.metadata = {"agent_id": agent}
        self.memory.has_content = True
        self.record.results.append(result)

    def _status(self, payload: dict[str, Any]) -> None:
        """The tokens of a step; other updates have none."""
        told = payload.get("token_usage")
        if not isinstance(told, dict):
            return
        name = content.word(payload.get("message_id"))
        usage = content.usage(
            name if len(name) >= UNIQUE else f"{name}@{self.memory.step or self.mark}", told, COUNTS
        )
        usage.message_key, usage.at = self.memory.step, self.at
        usage.model = self.record.model
        self.record.usages.append(usage)

    def _subagent(self, payload: dict[str, Any]) -> None:
        """A sub-agent's event: it has a wire of its own, but for the first versions.

        Those named no agent; what its responses cost stands nowhere else.
        """
        agent = content.word(payload.get("agent_id"))
        if agent:
            call_id = content.word(payload.get("parent_tool_call_id"))
            if call_id:
                self.memory.agents[call_id] = agent
            return
        event = content.fields(payload.get("event"))
        inner = content.fields(event.get("payload"))
        if event.get("type") == "StatusUpdate":
            self._status(inner)
        elif event.get("type") == "SubagentEvent":
            self._subagent(inner)

    def _compaction(self, payload: dict[str, Any]) -> None:
        self._message(self._key("compaction"), "system", "compaction", [])
