"""What a Claude Code log tells about its session beside the conversation."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from sessions_app import border
from sessions_app.agents.base import Line, SourceFile, UnreadableSession
from sessions_app.agents.claude_code.lines import ClaudeLine
from sessions_app.records import (
    TITLE_AGENT,
    TITLE_CUSTOM,
    TITLE_RECORD,
    TITLE_SUMMARY,
    Problem,
    RelationRecord,
    SessionRecord,
)

MOST_SUMMARIES = 1000  # kept while they wait for their line; the newest count
MOST_PULLS = 100


class Summary(msgspec.Struct, array_like=True):
    """A title that counts only if its leaf is a line of this very file."""

    leaf: str
    text: str
    line: int
    unchecked_to: int  # the leaf may still stand before this byte; 0 = it does not


class Memory(msgspec.Struct, array_like=True, omit_defaults=True):
    """What a reading must know of the lines before it."""

    parent: str = ""
    has_content: bool = False
    has_prompt: bool = False
    has_folder: bool = False
    call_message: str = ""  # the last response that called a tool
    title_line: int = 0
    summaries: list[Summary] = []
    pulls: list[dict[str, Any]] = []


class AgentMeta(msgspec.Struct):
    """The small file beside a sub-agent's log."""

    agent_type: str | None = msgspec.field(default=None, name="agentType")
    description: str | None = None
    tool_use_id: str | None = msgspec.field(default=None, name="toolUseId")


class LineId(msgspec.Struct):
    """Just enough of a line to know it again."""

    uuid: str | None = None


class Facts:
    """Collects facts into `record`; `memory` is what a later reading must know."""

    def __init__(self, source: SourceFile, memory: Memory) -> None:
        self.source = source
        self.memory = memory
        self.is_agent = source.path.stem.startswith("agent-")
        self.pending = {summary.leaf: summary for summary in memory.summaries}
        self.has_told_meta = False
        self.record = SessionRecord("claude-code", "claude", "")
        if self.is_agent and not memory.parent:
            memory.parent = parent_folder(source.path)

    def take(self, line: ClaudeLine, at: datetime | None) -> None:
        """What any line may tell."""
        record = self.record
        if at is not None:
            if record.created_at is None or at < record.created_at:
                record.created_at = at
            if record.last_active is None or at > record.last_active:
                record.last_active = at
        if line.cwd and not self.memory.has_folder:
            record.work_dir, self.memory.has_folder = line.cwd, True
        record.git_branch = line.git_branch or record.git_branch
        record.agent_version = line.version or record.agent_version
        if self.is_agent and not self.memory.parent:
            self.memory.parent = line.session_id or ""
        if self.pending and line.uuid in self.pending:
            self._fits(self.pending[line.uuid])

    def title(self, text: str, rank: int) -> None:
        """A title, unless a better one is known."""
        if text and rank >= self.record.title_rank:
            self.record.title, self.record.title_rank = text, rank

    def titles(self, line: ClaudeLine) -> None:
        """A line that holds nothing but a title."""
        self.title((line.custom_title or "").strip(), TITLE_CUSTOM)
        self.title((line.ai_title or "").strip(), TITLE_AGENT)

    def summary(self, where: Line, line: ClaudeLine) -> None:
        """A summary waits for its leaf: at the head of a file it often is another session's."""
        if line.summary and line.leaf_uuid:
            text = border.clean_line(line.summary, 300)
            self.pending.pop(line.leaf_uuid, None)
            self.pending[line.leaf_uuid] = Summary(line.leaf_uuid, text, where.number, where.offset)

    def _fits(self, summary: Summary) -> None:
        del self.pending[summary.leaf]
        if summary.line > self.memory.title_line:
            self.memory.title_line = summary.line
            self.title(summary.text, TITLE_SUMMARY)

    def look_back(self) -> None:
        """Find the leaves of new summaries among the lines before them.

        Remembering every uuid between two readings would cost more than this rare second look.
        """
        end = max((summary.unchecked_to for summary in self.pending.values()), default=0)
        decode = msgspec.json.Decoder(LineId).decode
        for where in SourceFile(self.source.path, root=self.source.root).lines() if end else ():
            if where.offset >= end:
                break
            try:
                leaf = decode(where.data).uuid
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
                continue
            if leaf in self.pending and where.offset < self.pending[leaf].unchecked_to:
                self._fits(self.pending[leaf])
        for summary in self.pending.values():
            summary.unchecked_to = 0

    def pull(self, line: ClaudeLine) -> None:
        """A pull request that came out of the session."""
        pull = {"number": line.pr_number, "url": line.pr_url, "repository": line.pr_repository}
        pulls = self.memory.pulls
        if pull not in pulls and len(pulls) < MOST_PULLS:
            pulls.append(pull)
            self.record.metadata["pull_requests"] = list(pulls)

    def finish(self) -> SessionRecord:
        """The record with its identity; a new one is begun."""
        record, self.record = self.record, SessionRecord("claude-code", "claude", "")
        record.identity = record.backend_session_id = self.source.path.stem
        if self.is_agent:
            record.kind = "subagent"
            if self.memory.parent:
                record.identity = f"{self.memory.parent}/{record.identity}"
            if not self.has_told_meta:
                self._tell_meta(record)
        self.memory.summaries = list(self.pending.values())[-MOST_SUMMARIES:]
        return record

    def _tell_meta(self, record: SessionRecord) -> None:
        self.has_told_meta = True
        meta = AgentMeta()
        for companion in self.source.companions:
            try:
                meta = msgspec.json.decode(self.source.content(companion), type=AgentMeta)
            except (UnreadableSession, msgspec.MsgspecError, RecursionError, ValueError) as error:
                record.problems.append(Problem(str(companion), f"sub-agent's facts: {error}"))
        if meta.description:
            record.title, record.title_rank = meta.description, TITLE_RECORD
        if meta.agent_type:
            record.metadata["agent_type"] = meta.agent_type
        if self.memory.parent:
            call_id = meta.tool_use_id or ""
            record.relations.append(RelationRecord("subagent", self.memory.parent, call_id))


def parent_folder(path: Path) -> str:
    """The session whose `subagents` folder holds `path`; empty in the older flat layout."""
    parts = path.parts
    if "subagents" not in parts[1:]:
        return ""
    return parts[len(parts) - 1 - parts[::-1].index("subagents") - 1]
