"""One reading of a Qwen Code chat: lines in, the parts of a session out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from sessions_app import border
from sessions_app.agents.base import Line
from sessions_app.agents.google_content import Said, said, unique, with_status
from sessions_app.agents.lines import when
from sessions_app.agents.qwen.content import first_text, usage_record, without_context
from sessions_app.agents.qwen.lines import Payload, QwenLine
from sessions_app.records import (
    CALL,
    TEXT,
    TITLE_CUSTOM,
    TURN_ABORTED,
    TURN_ENDED,
    TURN_FAILED,
    TURN_OPEN,
    Block,
    MessageRecord,
    RelationRecord,
    SessionRecord,
)

BY_PROGRAM = ("notification", "background_task_completed", "cron", "agent_launch_prompt")
BY_PERSON = (None, "real_user")
STATES = {"completed": TURN_ENDED, "cancelled": TURN_ABORTED, "error": TURN_FAILED}


class Memory(msgspec.Struct, omit_defaults=True):
    """What a later reading must know."""

    session: str = ""
    parent: str = ""
    work_dir: str = ""
    has_content: bool = False
    has_prompt: bool = False

    @property
    def identity(self) -> str:
        """Sub-agents are named within their session."""
        return f"{self.parent}/{self.session}" if self.parent else self.session


class Reading:
    """Takes lines one by one; `part` hands over what they said since the last call."""

    def __init__(self, memory: Memory, file_name: str) -> None:
        self.memory = memory
        self.file_name = file_name
        self.lines = 0
        self.record = SessionRecord("qwen", "qwen", "")
        self.key = ""
        self.at: datetime | None = None
        self.kinds: dict[str | None, Callable[[QwenLine], None]] = {
            "user": self._user,
            "assistant": self._assistant,
            "tool_result": self._tool_result,
            "system": self._system,
        }
        self.events: dict[str | None, Callable[[Payload], None]] = {
            "custom_title": self._title,
            "parent_session": self._parent_session,
            "session_model": self._session_model,
            "slash_command": self._command,
            "chat_compression": self._compression,
            "turn_result": self._turn_result,
            "ui_telemetry": self._telemetry,
        }

    def take(self, where: Line, line: QwenLine) -> None:
        """Add what one line says."""
        take = self.kinds.get(line.type)
        if take is None:
            return
        self.lines += 1
        if not self.memory.session:
            self.memory.session = line.session_id or self.file_name
        name = line.uuid or f"line-{where.number}"
        self.key, self.at = unique(name, self.memory.identity), when(line.timestamp)
        self._facts(line)
        take(line)

    def part(self) -> SessionRecord:
        """Everything since the last part, ready for the writer."""
        record, memory, self.lines = self.record, self.memory, 0
        record.identity, record.backend_session_id = memory.identity, memory.session
        if memory.parent:
            record.kind = "subagent"
            record.relations.append(RelationRecord("subagent", memory.parent))
        self.record = SessionRecord("qwen", "qwen", "")
        return record

    def _facts(self, line: QwenLine) -> None:
        record = self.record
        if self.at is not None:
            record.created_at = min(record.created_at or self.at, self.at)
            record.last_active = max(record.last_active or self.at, self.at)
        if line.cwd and not self.memory.work_dir:
            self.memory.work_dir = record.work_dir = line.cwd
        record.git_branch = line.git_branch or record.git_branch
        record.agent_version = line.version or record.agent_version
        origin = line.forked_from.session_id if line.forked_from is not None else None
        if origin and not record.relations:
            record.relations.append(RelationRecord("fork", origin))

    def _message(self, role: str, kind: str, blocks: list[Block], key: str = "") -> MessageRecord:
        message = MessageRecord(key or self.key, role, blocks, kind, self.at)
        self.record.messages.append(message)
        self.memory.has_content = True
        return message

    def _turn(self, line: QwenLine, turn: str) -> None:
        # The steps of a sub-agent inside its parent's file are inside one turn of the parent.
        if self.memory.parent or not line.is_sidechain:
            self.record.turn = turn

    # The conversation.

    def _user(self, line: QwenLine) -> None:
        context, own = without_context(line.message)
        if context:
            key = f"{self.key}:context"
            self._message("user", "injected", said(context, key, self.at).blocks, key)
        out = said(own, self.key, self.at)
        self._results(line, out)
        if not out.blocks:
            return
        is_agent = bool(self.memory.parent or line.is_sidechain)
        by_program = line.subtype in BY_PROGRAM or line.provenance not in BY_PERSON
        if is_agent or by_program or out.results:
            self._message("user", "injected", out.blocks)
            if is_agent:
                self._turn(line, TURN_OPEN)
            return
        if not self.memory.has_prompt:
            shown = line.system_payload.display_text if line.system_payload is not None else None
            self.record.prompt = shown if isinstance(shown, str) and shown else out.text()
            self.memory.has_prompt = True
        self._message("user", "prompt", out.blocks)
        self._turn(line, TURN_OPEN)

    def _assistant(self, line: QwenLine) -> None:
        out = said(line.message.parts if line.message is not None else None, self.key, self.at)
        message = self._message("assistant", "answer", out.blocks)
        message.model = line.model or ""
        self.record.model = line.model or self.record.model
        if line.usage_metadata is not None:
            usage = usage_record(line.usage_metadata, self.key)
            usage.model, usage.at = message.model, self.at
            self.record.usages.append(usage)
        has_call = any(block.kind == CALL for block in out.blocks)
        self._turn(line, TURN_ENDED if out.text() and not has_call else TURN_OPEN)

    def _tool_result(self, line: QwenLine) -> None:
        out = said(line.message.parts if line.message is not None else None, self.key, self.at)
        if out.results and out.text():
            out.results[-1].text = "\n".join(filter(None, (out.results[-1].text, out.text())))
        self._results(line, out)

    def _results(self, line: QwenLine, out: Said) -> None:
        if not out.results:
            return
        if (ended := line.tool_call_result) is not None:
            with_status(out.results, ended.call_id, ended.status)
        self.record.results += out.results
        self.memory.has_content = True
        self._turn(line, TURN_OPEN)

    # What the program notes.

    def _system(self, line: QwenLine) -> None:
        take = self.events.get(line.subtype)
        if take is not None and line.system_payload is not None and not line.is_sidechain:
            take(line.system_payload)

    def _title(self, payload: Payload) -> None:
        """Given by a person or by a model: the last one is the one that is shown there, too."""
        if isinstance(payload.custom_title, str):
            self.record.title, self.record.title_rank = payload.custom_title, TITLE_CUSTOM

    def _parent_session(self, payload: Payload) -> None:
        if isinstance(payload.parent_session_id, str):
            self.record.relations.append(RelationRecord("subagent", payload.parent_session_id))

    def _session_model(self, payload: Payload) -> None:
        if isinstance(payload.model_id, str):
            self.record.model = payload.model_id

    def _command(self, payload: Payload) -> None:
        if payload.phase == "invocation" and isinstance(payload.raw_command, str):
            self._message("user", "command", [Block(TEXT, payload.raw_command)])

    def _compression(self, payload: Payload) -> None:
        """The summary that takes the place of what was said before, for the model only."""
        info = payload.info if isinstance(payload.info, dict) else {}
        names = {"originalTokenCount": "pre_tokens", "newTokenCount": "post_tokens"}
        message = self._message("system", "compaction", first_text(payload.compressed_history))
        message.metadata = {
            ours: border.clean_count(info[theirs])
            for theirs, ours in names.items()
            if theirs in info
        }

    def _turn_result(self, payload: Payload) -> None:
        turn = STATES.get(payload.state) if isinstance(payload.state, str) else None
        self.record.turn = turn or self.record.turn
        error = payload.error if isinstance(payload.error, dict) else {}
        if turn == TURN_FAILED and isinstance(error.get("message"), str):
            self.record.error = error["message"]

    def _telemetry(self, payload: Payload) -> None:
        """Tokens are repeated there; only a failed request is told nowhere else."""
        event = payload.ui_event
        if event is None or event.name != "qwen-code.api_error" or event.subagent_name:
            return
        text = event.error_message if isinstance(event.error_message, str) else "API error"
        self._message("system", "error", [Block(TEXT, text)])
        self.record.error, self.record.turn = text, TURN_FAILED
