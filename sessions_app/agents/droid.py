"""Factory Droid: its session logs. Not checked against files of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from sessions_app import border
from sessions_app.agents import shell
from sessions_app.agents.base import PART_SIZE, Line, SourceFile, UnreadableSession
from sessions_app.agents.claude_code.content import said, text_kind
from sessions_app.agents.claude_code.lines import Part
from sessions_app.agents.copilot.content import fields, word, written
from sessions_app.agents.folders import Folder, existing, walk
from sessions_app.agents.lines import BOM, LineReader, parse, when
from sessions_app.records import (
    CALL,
    TEXT,
    TITLE_RECORD,
    TURN_ENDED,
    TURN_OPEN,
    Block,
    MessageRecord,
    Position,
    Problem,
    SessionFacts,
    SessionRecord,
    ToolResult,
    UsageRecord,
)

SETTINGS = ".settings.json"
STREAMED = ("message", "tool_call", "tool_result", "completion", "system")
EXIT_CODE = re.compile(r"\bexit code: (\d{1,3})\b")
SNIFF_SIZE = 64 * 1024


class Said(msgspec.Struct, gc=False):
    """A message with blocks as Claude Code has them."""

    role: str | None = None
    content: list[Part | str] | str | None = None


class DroidLine(msgspec.Struct, rename="camel", gc=False):
    """A line of a session, or of what `droid exec` streams."""

    type: str | None = None
    id: str | None = None
    session_id: str | None = msgspec.field(default=None, name="session_id")
    timestamp: Any = None
    title: str | None = None
    cwd: str | None = None
    version: Any = None
    message: Said | None = None
    role: str | None = None
    text: str | None = None
    final_text: str | None = None
    tool_call_id: str | None = None
    tool_name: str | None = None
    parameters: Any = None
    value: Any = None
    is_error: Any = None


class Memory(msgspec.Struct, array_like=True, omit_defaults=True):
    """What a later reading must know of the lines before it."""

    identity: str = ""
    has_content: bool = False
    has_prompt: bool = False


class Droid:
    """Reads `sessions/**/<session>.jsonl` with the small file of settings beside it."""

    name = "droid"
    label = "Factory Droid"
    backends: tuple[str, ...] = ("droid",)
    version = 1

    def homes(self, home: Path) -> list[Path]:
        """`~/.factory/sessions`."""
        return [home / ".factory" / "sessions"]

    def session_files(self, root: Path) -> Iterator[SourceFile]:
        """Logs below `root` whose first line is one of Droid's."""
        if root.is_file():
            yield from (one for one in _logs(Folder(root.parent), root.parent) if one.path == root)
            return
        for top in existing(self.homes(root)) or [root]:
            for folder in walk(top):
                if folder.path.name == ".factory":  # beside the sessions lie credentials
                    folder.folders = [name for name in folder.folders if name == "sessions"]
                    continue
                yield from _logs(folder, top)

    def read(self, source: SourceFile, after: Position | None) -> Iterator[SessionRecord]:
        """See Agent.read."""
        if after is not None and (after.version != self.version or not after.state):
            after = None
        memory = msgspec.msgpack.decode(after.state, type=Memory) if after else Memory()
        reader, record, size = LineReader(source, DroidLine), SessionRecord("droid", "droid", ""), 0
        for where in source.lines(after):
            size += len(where.data)
            line = reader.struct(where)
            if line is not None:
                _take(record, memory, where, line, source.path.stem)
            if size >= PART_SIZE and memory.has_content:
                yield self._part(source, record, memory, reader)
                record, size = SessionRecord("droid", "droid", ""), 0
        if memory.has_content:
            yield self._part(source, record, memory, reader)
            return
        source.end = Position()
        if reader.problems:
            first = reader.problems[0]
            raise UnreadableSession(f"no message in it; line {first.line}: {first.reason}")

    def _part(
        self, source: SourceFile, record: SessionRecord, memory: Memory, reader: LineReader
    ) -> SessionRecord:
        record.identity = record.backend_session_id = memory.identity
        record.problems = reader.take_problems()
        for path in source.companions:
            _add_sums(source, path, record)
        source.end.version, source.end.state = self.version, msgspec.msgpack.encode(memory)
        return record

    def live_sessions(self, root: Path) -> dict[str, bool]:
        """None that is known."""
        return {}

    def resume_command(self, session: SessionFacts, prompt: str | None) -> str | None:
        """`droid --resume id`."""
        if session.kind == "subagent" or not shell.is_safe_word(session.backend_session_id):
            return None
        words = ["droid", "--resume", session.backend_session_id]
        return shell.in_folder(session.work_dir, words, prompt)


def _logs(folder: Folder, root: Path) -> Iterator[SourceFile]:
    for path in (folder.path / name for name in folder.files if name.endswith(".jsonl")):
        if _looks_right(path):
            beside = path.stem + SETTINGS
            companions = (folder.path / beside,) if beside in folder.files else ()
            yield SourceFile(path, root=root, companions=companions)


def _looks_right(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            first = fields(parse(file.readline(SNIFF_SIZE).removeprefix(BOM)))
    except (OSError, ValueError, RecursionError):
        return False
    if first.get("type") == "session_start":
        return bool(word(first.get("id")))
    is_streamed = first.get("type") in STREAMED and "session_id" in first
    return is_streamed and ("text" in first or "toolName" in first or "cwd" in first)


def _take(
    record: SessionRecord, memory: Memory, where: Line, line: DroidLine, spare_name: str
) -> None:
    """Add what one line says."""
    at = when(line.timestamp)
    if at is not None:
        record.created_at = min(record.created_at or at, at)
        record.last_active = max(record.last_active or at, at)
    if not memory.identity:
        started = line.id if line.type == "session_start" else None
        memory.identity = started or line.session_id or spare_name
    key = line.id if line.id and len(line.id) >= 16 else f"@{where.offset}"
    if line.type == "session_start":
        record.work_dir, record.title = line.cwd or "", line.title or ""
        record.title_rank = TITLE_RECORD if record.title else 0
        record.agent_version = word(line.version)
    elif line.type == "message" and line.message is not None:
        told = said(line.message.content, key, key, at)
        for result in told.results:
            _add(record, memory, result)
        _say(record, memory, key, line.message.role, told.blocks, at)
    else:
        _take_streamed(record, memory, key, line, at)


def _take_streamed(
    record: SessionRecord, memory: Memory, key: str, line: DroidLine, at: datetime | None
) -> None:
    """What `droid exec` writes to whoever called it."""
    if line.type == "message" and line.text:
        _say(record, memory, key, line.role, [Block(TEXT, line.text)], at)
    elif line.type == "tool_call":
        call = Block(CALL, written(line.parameters), line.tool_call_id or key, line.tool_name or "")
        _say(record, memory, key, "assistant", [call], at)
    elif line.type == "tool_result":
        text = line.value if isinstance(line.value, str) else written(line.value)
        code = fields(line.value).get("exitCode")
        result = ToolResult(line.tool_call_id or key, text, line.is_error is True, at)
        result.exit_code = code if type(code) is int and 0 <= code < 2**31 else None
        _add(record, memory, result)
    elif line.type == "completion":
        if line.final_text:
            _say(record, memory, key, "assistant", [Block(TEXT, line.final_text)], at)
        record.turn = TURN_ENDED


def _say(
    record: SessionRecord,
    memory: Memory,
    key: str,
    role: str | None,
    blocks: list[Block],
    at: datetime | None,
) -> None:
    if not blocks:
        return
    memory.has_content = True
    if role == "assistant":
        record.messages.append(MessageRecord(key, role, blocks, "answer", at))
        has_call = any(block.kind == CALL for block in blocks)
        record.turn = TURN_OPEN if has_call else TURN_ENDED
        return
    text = next((block.text for block in blocks if block.kind == TEXT), "")
    kind = text_kind(text) if role == "user" else "injected"
    if kind == "prompt":
        record.turn = TURN_OPEN
        if not memory.has_prompt:
            record.prompt, memory.has_prompt = text, True
    speaker = "user" if role == "user" else "system"
    record.messages.append(MessageRecord(key, speaker, blocks, kind, at))


def _add(record: SessionRecord, memory: Memory, result: ToolResult) -> None:
    if result.exit_code is None and (found := EXIT_CODE.search(result.text[:200])):
        result.exit_code = int(found[1])
    result.is_error = result.is_error or bool(result.exit_code)
    memory.has_content = True
    record.results.append(result)
    record.turn = TURN_OPEN


def _add_sums(source: SourceFile, path: Path, record: SessionRecord) -> None:
    """The model, and the tokens of the whole session: no line tells those of a response."""
    try:
        told = fields(parse(source.content(path, limit=1024 * 1024).removeprefix(BOM)))
    except (UnreadableSession, ValueError, RecursionError) as error:
        record.problems.append(Problem(str(path), f"facts of the session: {error}"[:300]))
        return
    record.model = word(told.get("model"))
    sums = fields(told.get("tokenUsage"))
    names = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheCreationTokens",
             "thinkingTokens")  # fmt: skip
    fresh, output, read, write, thinking = (border.clean_count(sums.get(name)) for name in names)
    if fresh or output or read or write:
        record.usages.append(
            UsageRecord(
                f"droid:{record.identity}", "", record.model, record.last_active, input=fresh,
                output=output, cache_read=read, cache_write=write,
                reasoning=min(thinking, output), summary=True,
                flagged=not all(border.is_count(sums.get(name)) for name in names),
            )
        )  # fmt: skip
