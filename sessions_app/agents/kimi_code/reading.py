"""One reading of Kimi Code's wire: records in, the parts of a session out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sessions_app.agents.base import Line
from sessions_app.agents.kimi import content
from sessions_app.agents.kimi_code.lines import COUNTS, Memory, WireLine
from sessions_app.agents.kimi_code.words import GOES_ON, ending, is_task, user_kind
from sessions_app.agents.lines import when
from sessions_app.records import (
    TEXT,
    TURN_ABORTED,
    TURN_ENDED,
    TURN_FAILED,
    TURN_OPEN,
    Block,
    MessageRecord,
    SessionRecord,
    extend_blocks,
)


class Reading:
    """Takes lines one by one into `record`; `part` hands it over and begins a new one."""

    def __init__(self, memory: Memory, record: SessionRecord) -> None:
        self.memory = memory
        self.record = record
        self.is_agent = record.kind == "subagent"
        self.types: dict[str, Callable[[WireLine], None]] = {
            "metadata": self._metadata,
            "profile.bind": self._profile,
            "config.update": self._profile,
            "turn.prompt": self._turn_prompt,
            "turn.cancel": self._turn_cancel,
            "turn.ended": self._turn_ended,
            "context.append_message": self._append_message,
            "context.append_loop_event": self._loop_event,
            "context.apply_compaction": self._compaction,
            "llm.request": self._request,
            "usage.record": self._usage_record,
            "subagent.spawned": self._spawned,
        }
        self.events: dict[str, Callable[[dict[str, Any]], None]] = {
            "step.begin": self._step_begin,
            "content.part": self._content_part,
            "tool.call": self._tool_call,
            "tool.result": self._tool_result,
            "step.end": self._step_end,
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
            record.agent, record.backend, record.identity, record.backend_session_id, record.kind
        )
        self._begin()
        return record

    def take(self, where: Line, line: WireLine) -> None:
        """Add what one line says."""
        self.where, self.at = where, when(line.time)
        self._times(self.at)
        if line.type in self.types:
            self.types[line.type](line)

    def _times(self, at: datetime | None) -> None:
        record = self.record
        if at is not None:
            record.created_at = min(record.created_at or at, at)
            record.last_active = max(record.last_active or at, at)

    def _key(self, kind: str, text: str) -> str:
        """For what has no id: forks copy lines whole, and several may be of one moment."""
        if self.at is None:
            return f"line-{self.where.number}"
        return f"{kind}-{self.at.timestamp():.3f}-{_hash(text)}"

    def _message(self, key: str, role: str, kind: str, said: list[Block]) -> MessageRecord:
        self.memory.has_content |= role != "system"  # before, nobody has said anything
        have = self.messages.get(key)
        if have is not None:
            self.more.setdefault(key, []).extend(said)
            return have
        message = self.messages[key] = MessageRecord(key, role, said, kind, self.at)
        if role == "assistant":
            message.model = self.memory.model
        return message

    def _metadata(self, line: WireLine) -> None:
        if line.protocol_version:
            self.record.metadata["protocol"] = line.protocol_version

    def _profile(self, line: WireLine) -> None:
        folder = line.cwd or content.word(content.fields(line.environment_disclosure).get("cwd"))
        if folder and not self.memory.has_folder:
            self.record.work_dir = self.record.work_dir or folder
            self.memory.has_folder = True
        if line.system_prompt and self.memory.system != _hash(line.system_prompt):
            self.memory.system = _hash(line.system_prompt)
            key = self._key("system", line.system_prompt)
            self._message(key, "system", "injected", [Block(TEXT, line.system_prompt)])

    def _turn_prompt(self, line: WireLine) -> None:
        self.record.turn = TURN_OPEN

    def _turn_cancel(self, line: WireLine) -> None:
        self.record.turn = TURN_ABORTED

    def _turn_ended(self, line: WireLine) -> None:
        self.record.turn = ending(line.reason)
        if self.record.turn != TURN_FAILED:
            return
        told = content.fields(line.error).get("message", line.error)
        if text := content.word(told):
            self.record.error = text
            self._message(self._key("error", text), "system", "error", [Block(TEXT, text)])

    def _append_message(self, line: WireLine) -> None:
        """What a user or the program says; answers only in what was brought over from elsewhere."""
        message = content.fields(line.message)
        said = content.blocks(message.get("content"))
        if message.get("role") == "user":
            self._user(message, said)
        elif self.memory.has_steps:
            return
        elif message.get("role") == "assistant":
            told = message.get("toolCalls")
            calls = [content.function_call(item) for item in told or () if isinstance(item, dict)]
            key = self._key("answer", content.first_text(said))
            self._message(key, "assistant", "answer", said + calls)
        elif message.get("role") == "tool":
            call_id = content.word(message.get("toolCallId"))
            self._result(call_id, {"output": message.get("content")})

    def _user(self, message: dict[str, Any], said: list[Block]) -> None:
        origin = message.get("origin")
        kind = "injected" if self.is_agent else user_kind(origin, said)
        text = content.first_text(said)
        if not self.memory.has_prompt and (kind == "prompt" or is_task(origin)):
            self.record.prompt = text
            self.memory.has_prompt = bool(text)
        key = content.word(message.get("id")) or self._key("message", text)
        self._message(key, "user", kind, said)

    def _compaction(self, line: WireLine) -> None:
        said = content.blocks(line.summary)
        key = self._key("compaction", content.first_text(said))
        self._message(key, "system", "compaction", said)

    def _loop_event(self, line: WireLine) -> None:
        event = content.fields(line.event)
        take = self.events.get(content.word(event.get("type")))
        if take is not None:
            self.memory.has_steps = True
            take(event)

    def _step_begin(self, event: dict[str, Any]) -> None:
        self.memory.step = self._step(event)
        self.memory.records = 0
        self.record.turn = TURN_OPEN

    def _step(self, event: dict[str, Any]) -> str:
        own = event.get("uuid") if event.get("type") in ("step.begin", "step.end") else None
        told = content.word(own) or content.word(event.get("stepUuid"))
        return told or self.memory.step or self._key("step", str(event.get("step")))

    def _content_part(self, event: dict[str, Any]) -> None:
        self._answer(self._step(event), content.blocks([event.get("part")]))

    def _answer(self, step: str, said: list[Block]) -> None:
        self.memory.answer = step
        self._message(step, "assistant", "answer", said)

    def _tool_call(self, event: dict[str, Any]) -> None:
        block = content.call(event.get("toolCallId"), event.get("name"), event.get("args"))
        self._answer(self._step(event), [block])

    def _tool_result(self, event: dict[str, Any]) -> None:
        told = content.fields(event.get("result")) or {"output": event.get("result")}
        self._result(content.word(event.get("toolCallId")), told)

    def _result(self, call_id: str, told: dict[str, Any]) -> None:
        is_error = told.get("isError") is True
        result = content.result(call_id, told.get("output"), told.get("note"), is_error=is_error)
        result.at = self.at
        if agent := self.memory.agents.pop(call_id, ""):
            result.metadata = {"agent_id": agent}
        self.memory.has_content = True
        self.record.results.append(result)

    def _step_end(self, event: dict[str, Any]) -> None:
        reason = event.get("finishReason")
        if reason not in (*GOES_ON, None):
            self.record.turn = TURN_FAILED if reason == "error" else TURN_ENDED
        told = event.get("usage")
        # A usage record, before or after this, tells of the same response under the same key.
        if isinstance(told, dict) and not self.memory.records:
            self._usage(self._step(event), told, "")

    def _usage_record(self, line: WireLine) -> None:
        """One billed response. The first of a step is the step's own; others are compactions."""
        told = content.fields(line.usage)
        self.memory.records += 1
        key = self.memory.step
        if not key:
            key = self._key("usage", "/".join(str(told.get(name)) for name in COUNTS))
        elif self.memory.records > 1:
            key = f"{key}:{self.memory.records}"
        self._usage(key, told, line.model or "")

    def _usage(self, key: str, told: dict[str, Any], alias: str) -> None:
        usage = content.usage(key, told, COUNTS)
        if self.memory.step != self.memory.answer:  # tokens come first: the answer begins with them
            self._answer(self.memory.step, [])
        usage.message_key, usage.at = self.memory.step, self.at
        usage.model = self.memory.models.get(alias, alias) or self.memory.model
        self.record.usages.append(usage)

    def _request(self, line: WireLine) -> None:
        if line.model:
            self.memory.model = self.record.model = line.model
            if line.model_alias:
                self.memory.models[line.model_alias] = line.model

    def _spawned(self, line: WireLine) -> None:
        if line.subagent_id and line.parent_tool_call_id:
            self.memory.agents[line.parent_tool_call_id] = line.subagent_id


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
