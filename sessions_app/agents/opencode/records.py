"""Messages of one OpenCode session -> its record, wherever its rows come from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from sessions_app import border
from sessions_app.agents.base import Line, SourceFile
from sessions_app.agents.lines import LineReader, when
from sessions_app.agents.opencode.content import (
    Message,
    Part,
    Said,
    error_text,
    is_aborted,
    said,
    turn_after,
)
from sessions_app.agents.opencode.usage import usage_of
from sessions_app.records import TEXT, TITLE_AGENT, Block, MessageRecord, SessionRecord

NAME = "opencode"
UNTITLED = re.compile(r"(New|Child) session - \d{4}-\d\d-\d\dT")
PROMPT = 500  # characters of the first prompt that are worth carrying


class Row(NamedTuple):
    """JSON with its id, and where it stands: for problems."""

    own_id: str
    data: bytes
    number: int
    path: str


class Facts(msgspec.Struct):
    """What a session says of itself."""

    own_id: str
    parent: str = ""
    folder: str = ""
    title: str = ""
    version: str = ""
    agent: str = ""
    created: object = None  # epoch milliseconds
    updated: object = None
    archived: object = None


class Telling:
    """Collects the messages of one session and hands them over in parts."""

    def __init__(self, facts: Facts, path: Path) -> None:
        source = SourceFile(path, root=path.parent)
        self.facts = facts
        self.messages = LineReader(source, Message)
        self.parts = LineReader(source, Part)
        self.turn = ""
        self.size = 0
        self._begin()

    def _begin(self) -> None:
        facts = self.facts
        self.record = SessionRecord(
            NAME,
            NAME,
            facts.own_id,
            backend_session_id=facts.own_id,
            kind="subagent" if facts.parent else "main",
            work_dir=facts.folder,
            agent_version=facts.version,
            created_at=when(facts.created),
            last_active=when(facts.updated) or when(facts.created),
        )
        if facts.title and not UNTITLED.match(facts.title):
            self.record.title, self.record.title_rank = facts.title, TITLE_AGENT
        if facts.agent:
            self.record.metadata["agent"] = facts.agent
        if facts.archived:
            self.record.metadata["archived"] = True

    def part(self) -> SessionRecord:
        """The record with what was told since the last part."""
        record = self.record
        record.turn = self.turn
        self._begin()
        self.size = 0
        return record

    def take(self, row: Row, parts: Sequence[Row], *, is_last: bool) -> None:
        """One message with all of its parts; of the last one more may come."""
        message: Message | None = self._decoded(self.messages, row)
        if message is None:
            return
        decoded = [(part.own_id, self._decoded(self.parts, part)) for part in parts]
        is_over = message.is_over or not is_last
        out = said([(key, part) for key, part in decoded if part], is_over=is_over)
        self.size += len(row.data) + sum(len(part.data) for part in parts)
        at = when(message.time.created)
        if message.role == "assistant":
            self._response(row.own_id, message, out, at, is_over=is_over)
        else:
            self._prompt(row.own_id, message, out, at)
        self.record.results += out.results
        self._was_active(at, when(message.time.completed), *(item.at for item in out.results))
        if is_last:
            self.turn = turn_after(message)

    def _decoded(self, reader: LineReader, row: Row) -> Any | None:
        reader.path = row.path
        value = reader.struct(Line(row.data, 0, row.number))
        self.record.problems += reader.take_problems()
        return value

    def _response(
        self, key: str, message: Message, out: Said, at: datetime | None, *, is_over: bool
    ) -> None:
        blocks = out.blocks + out.added
        kind = "compaction" if message.summary is True else "answer"
        if message.error and not is_aborted(message.error):
            self.record.error = error_text(message.error)
            kind = kind if blocks else "error"
            blocks.append(Block(TEXT, self.record.error))
        self._say(key, "assistant", kind, blocks, out, at, message)
        self.record.model = message.model_id or self.record.model
        if message.provider_id:
            self.record.metadata["provider"] = message.provider_id
        # While a response runs, its tokens are told step by step, and its key would change.
        if is_over and (usage := usage_of(message, key)):
            self.record.usages.append(usage)

    def _prompt(self, key: str, message: Message, out: Said, at: datetime | None) -> None:
        """A person's words; what the program added to them, or told a sub-agent, is apart."""
        words = "\n".join(block.text for block in out.blocks if block.kind == TEXT)
        self.record.prompt = self.record.prompt or words[:PROMPT]
        kind = "injected" if self.facts.parent else "prompt"
        self._say(key, "user", kind, out.blocks, out, at, message)
        self._say(f"{key}+", "user", "injected", out.added, Said(), at, message)

    def _say(
        self,
        key: str,
        role: str,
        kind: str,
        blocks: list[Block],
        out: Said,
        at: datetime | None,
        message: Message,
    ) -> None:
        metadata: dict[str, Any] = {"files": out.files} if out.files else {}
        if not blocks and not metadata:
            return  # nothing yet: a response that was cut off before its first word
        if message.agent and message.agent != (self.facts.agent or message.agent):
            metadata["agent"] = message.agent
        model = message.model_id or "" if role == "assistant" else ""
        parent = message.parent_id or ""
        self.record.messages.append(
            MessageRecord(key, role, blocks, kind, at, model, parent, metadata)
        )

    def _was_active(self, *times: datetime | None) -> None:
        known = [time for time in (self.record.last_active, *times) if time]
        self.record.last_active = max(known, default=None)


def facts_from(values: dict[str, Any], times: dict[str, Any]) -> Facts:
    """Facts from the names that tables and files share; `times` has created, updated, archived."""

    def word(name: str) -> str:
        value = values.get(name)
        return border.clean_text(value) if isinstance(value, str) else ""

    return Facts(
        word("id"),
        word("parent_id") or word("parentID"),
        word("directory"),
        word("title"),
        word("version"),
        word("agent"),
        times.get("created"),
        times.get("updated"),
        times.get("archived"),
    )
