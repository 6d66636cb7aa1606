"""One reading of a Gemini session -> the parts of its record."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from sessions_app.agents.gemini import content
from sessions_app.agents.gemini.files import project_root
from sessions_app.agents.gemini.lines import Record
from sessions_app.agents.gemini.reading import Reading
from sessions_app.agents.gemini.view import words
from sessions_app.agents.google_content import Said, said, unique
from sessions_app.agents.lines import when
from sessions_app.records import (
    CALL,
    TITLE_SUMMARY,
    TURN_ABORTED,
    TURN_ENDED,
    TURN_FAILED,
    TURN_OPEN,
    MessageRecord,
    RelationRecord,
    SessionRecord,
)

WORKSPACE = re.compile(r"^\s+- (/.*)$", re.MULTILINE)
CANCELLED = "Request cancelled"


class Teller:
    """Tells the messages of one reading; `parts` hands them over in pieces."""

    def __init__(self, reading: Reading, path: Path) -> None:
        self.reading = reading
        self.memory = reading.memory
        self.size = 0
        self.record = SessionRecord("gemini", "gemini", "")
        self._facts()
        self.memory.session = self.memory.session or path.stem
        self._work_dir(project_root(path))
        self._prompt()

    def parts(self, limit: int) -> Iterator[SessionRecord]:
        """Records of about `limit` characters; the last one holds tokens and problems."""
        for record in self.reading.shown.values():
            self._tell(record)
            if self.size >= limit:
                yield self._part()
        self.record.usages = [
            content.usage_record(record, record.tokens, self.memory.identity)
            for record in self.reading.known
            if record.tokens is not None
        ]
        self.record.problems = self.reading.problems
        yield self._part()

    def _part(self) -> SessionRecord:
        record, self.size = self.record, 0
        record.identity, record.kind = self.memory.identity, self.memory.kind
        record.backend_session_id = self.memory.session
        self.record = SessionRecord("gemini", "gemini", "")
        return record

    # The session.

    def _facts(self) -> None:
        times: list[datetime | None] = []
        record, memory = self.record, self.memory
        for told in self.reading.told:
            memory.session = memory.session or told.session_id or ""
            memory.project_hash = memory.project_hash or told.project_hash or ""
            memory.kind = "subagent" if told.kind == "subagent" else memory.kind
            if told.summary:
                record.title, record.title_rank = told.summary, TITLE_SUMMARY
            times += [when(told.start_time), when(told.last_updated)]
        times += [when(message.timestamp) for message in self.reading.known]
        record.created_at = min((at for at in times if at), default=None)
        record.last_active = max((at for at in times if at), default=None)
        if memory.parent:
            memory.kind = "subagent"
            record.relations.append(RelationRecord("subagent", memory.parent))

    def _work_dir(self, noted: str) -> None:
        """The session holds only a hash of its folder, by which one in its context is known."""
        if self.memory.work_dir:
            return
        contexts = (
            text
            for record in self.reading.shown.values()
            if record.type == "user"
            and (text := words(record)).lstrip().startswith(content.INJECTED)
        )
        told = (folder for text in contexts for folder in WORKSPACE.findall(text))
        found = next((folder for folder in told if self._is_project(folder)), noted)
        self.memory.work_dir = self.record.work_dir = found

    def _is_project(self, folder: str) -> bool:
        digest = hashlib.sha256(folder.encode("utf-8", "replace")).hexdigest()
        return digest == self.memory.project_hash

    def _prompt(self) -> None:
        for record in () if self.memory.has_prompt else self.reading.known:
            if record.type == "user":
                out, kind = content.question(record)
                if kind == "prompt":
                    self.record.prompt = content.prompt_text(record, out)
                    self.memory.has_prompt = True
                    return

    # Messages.

    def _tell(self, record: Record) -> None:
        match record.type:
            case "user":
                self._question(record)
            case "gemini":
                self._answer(record)
            case _:
                self._remark(record)

    def _message(self, record: Record, role: str, kind: str, out: Said) -> MessageRecord:
        key = unique(record.key, self.memory.identity)
        message = MessageRecord(key, role, out.blocks, kind, when(record.timestamp))
        self.record.messages.append(message)
        self.memory.has_content |= kind != "injected"
        self.size += sum(len(block.text) + len(block.data) for block in out.blocks)
        return message

    def _results(self, out: Said) -> None:
        self.record.results += out.results
        self.size += sum(len(result.text) for result in out.results)

    def _question(self, record: Record) -> None:
        out, kind = content.question(record)
        self._results(out)
        if kind:
            self._message(record, "user", kind, out)
        if kind == "prompt" or out.results:
            self.record.turn = TURN_OPEN

    def _answer(self, record: Record) -> None:
        out = content.answer(record)
        message = self._message(record, "assistant", "answer", out)
        message.model = record.model or ""
        self.record.model = message.model or self.record.model
        self._results(out)
        has_call = any(block.kind == CALL for block in out.blocks)
        self.record.turn = TURN_ENDED if out.text() and not has_call else TURN_OPEN

    def _remark(self, record: Record) -> None:
        """What the program says: an error ends the turn badly."""
        out = said(record.content, record.key, when(record.timestamp))
        is_error = record.type == "error"
        self._message(record, "system", "error" if is_error else "note", out)
        if is_error:
            self.record.error, self.record.turn = out.text(), TURN_FAILED
        elif out.text().startswith(CANCELLED):
            self.record.turn = TURN_ABORTED
