"""Cursor CLI: transcripts without ids, times or tokens. Not checked against files of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from sessions_app.agents import shell
from sessions_app.agents.base import PART_SIZE, Line, SourceFile, UnreadableSession
from sessions_app.agents.copilot.content import fields, word, written
from sessions_app.agents.folders import Folder, existing, walk
from sessions_app.agents.lines import LineReader
from sessions_app.records import (
    CALL,
    TEXT,
    THINKING,
    TURN_ABORTED,
    TURN_ENDED,
    TURN_FAILED,
    TURN_OPEN,
    Block,
    MessageRecord,
    Position,
    RelationRecord,
    SessionFacts,
    SessionRecord,
    ToolResult,
)

TRANSCRIPTS, SUBAGENTS = "agent-transcripts", "subagents"
QUERY = re.compile(r"\s*<user_query>\n?(.*?)\n?</user_query>\s*", re.DOTALL)
ENDINGS = {"success": TURN_ENDED, "completed": TURN_ENDED, "error": TURN_FAILED}
CALLS = ("tool_use", "tool_call", "tool-call")


class CursorLine(msgspec.Struct, gc=False):
    """A message, or the end of a turn."""

    type: str | None = None
    role: str | None = None
    status: str | None = None
    model: str | None = None
    message: Any = None


class Memory(msgspec.Struct, array_like=True, omit_defaults=True):
    """What a later reading must know of the lines before it."""

    has_content: bool = False
    has_prompt: bool = False
    open: list[tuple[str, str]] = []  # calls without a result: id and name


class Cursor:
    """Reads `projects/<folder>/agent-transcripts/<session>/<session>.jsonl`."""

    name = "cursor"
    label = "Cursor CLI"
    backends: tuple[str, ...] = ("cursor",)
    version = 1

    def homes(self, home: Path) -> list[Path]:
        """`~/.cursor/projects`."""
        return [home / ".cursor" / "projects"]

    def session_files(self, root: Path) -> Iterator[SourceFile]:
        """Transcripts below `root`, which only their folder's name tells from other logs."""
        if root.is_file():
            if root.suffix == ".jsonl" and TRANSCRIPTS in root.parts:
                yield SourceFile(root, root=root.parent)
            return
        for top in existing(self.homes(root)) or [root]:
            for folder in walk(top):
                yield from _transcripts(folder, top)

    def read(self, source: SourceFile, after: Position | None) -> Iterator[SessionRecord]:
        """See Agent.read. No line tells a time: the session is as young as its file."""
        if after is not None and (after.version != self.version or not after.state):
            after = None
        memory = msgspec.msgpack.decode(after.state, type=Memory) if after else Memory()
        reader, size = LineReader(source, CursorLine), 0
        record = _record(source)
        for where in source.lines(after):
            size += len(where.data)
            line = reader.struct(where)
            if line is not None:
                _take(record, memory, where, line)
            if size >= PART_SIZE and memory.has_content:
                yield self._part(source, record, memory, reader)
                record, size = _record(source), 0
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
        record.problems = reader.take_problems()
        source.end.version, source.end.state = self.version, msgspec.msgpack.encode(memory)
        return record

    def live_sessions(self, root: Path) -> dict[str, bool]:
        """None that is known."""
        return {}

    def resume_command(self, session: SessionFacts, prompt: str | None) -> str | None:
        """`cursor agent --resume id`; a sub-agent goes on inside its parent."""
        if session.kind == "subagent" or not shell.is_safe_word(session.backend_session_id):
            return None
        words = ["cursor", "agent", "--resume", session.backend_session_id]
        return shell.in_folder(session.work_dir, words, prompt)


def _transcripts(folder: Folder, root: Path) -> Iterator[SourceFile]:
    if folder.path.name == ".cursor":  # beside the projects lie settings and tokens
        folder.folders = [name for name in folder.folders if name == "projects"]
    if TRANSCRIPTS in folder.path.parts[-3:]:
        names = [name for name in folder.files if name.endswith(".jsonl")]
        yield from (SourceFile(folder.path / name, root=root) for name in names)


def _record(source: SourceFile) -> SessionRecord:
    folder, own = source.path.parent, source.path.stem
    record = SessionRecord("cursor", "cursor", own, own)
    if folder.name == SUBAGENTS:
        parent = folder.parent.name
        record.identity, record.kind = f"{parent}/{own}", "subagent"
        record.relations.append(RelationRecord("subagent", parent))
    try:
        record.last_active = datetime.fromtimestamp(source.path.stat().st_mtime, UTC)
    except OSError as error:
        raise UnreadableSession(error.strerror or str(error)) from error
    return record


def _take(record: SessionRecord, memory: Memory, where: Line, line: CursorLine) -> None:
    """Add what one line says."""
    if line.type == "turn_ended":
        record.turn = ENDINGS.get(line.status or "", TURN_ABORTED)
    if line.role not in ("user", "assistant"):
        return
    told = fields(line.message).get("content")
    parts = told if isinstance(told, list) else [told]
    key = f"@{where.offset}"
    blocks = [block for index, part in enumerate(parts) if (block := _block(part, key, index))]
    results = [_result(part, memory) for part in parts if _is_result(part)]
    record.results += results
    memory.has_content = memory.has_content or bool(blocks or results)
    memory.open += [(block.call_id, block.name) for block in blocks if block.kind == CALL]
    if line.role == "assistant":
        record.model = line.model or record.model
        record.messages.append(
            MessageRecord(key, "assistant", blocks, "answer", model=line.model or "")
        )
        has_call = any(block.kind == CALL for block in blocks)
        record.turn = TURN_OPEN if has_call else TURN_ENDED
    elif blocks:
        _said(record, memory, key, blocks)
    elif results:
        record.turn = TURN_OPEN


def _said(record: SessionRecord, memory: Memory, key: str, blocks: list[Block]) -> None:
    is_agent = record.kind == "subagent"
    for block in blocks:
        if inner := QUERY.fullmatch(block.text):
            block.text = inner[1]
    if not memory.has_prompt:
        record.prompt = blocks[0].text
        memory.has_prompt = bool(record.prompt)
    kind = "injected" if is_agent else "prompt"
    record.messages.append(MessageRecord(key, "user", blocks, kind))
    record.turn = TURN_OPEN


def _block(part: object, key: str, index: int) -> Block | None:
    if isinstance(part, str):
        return Block(TEXT, part) if part else None
    told = fields(part)
    kind = told.get("type")
    if kind in CALLS:
        call_id = word(told.get("id")) or word(told.get("toolCallId")) or f"{key}:{index}"
        given = told.get("input", told.get("args"))
        name = word(told.get("name")) or word(told.get("toolName"))
        return Block(CALL, written(given), call_id, name)
    if kind == "thinking" and word(told.get("thinking")):
        return Block(THINKING, word(told.get("thinking")))
    text = "" if _is_result(part) else word(told.get("text"))
    return Block(TEXT, text) if text else None


def _is_result(part: object) -> bool:
    return fields(part).get("type") in ("tool-result", "tool_result")


def _result(part: object, memory: Memory) -> ToolResult:
    """Results bear no id in what we have seen: the oldest call of that name is meant."""
    told = fields(part)
    name = word(told.get("name")) or word(told.get("toolName"))
    call_id = word(told.get("tool_use_id")) or word(told.get("toolCallId"))
    alike = (call for call, title in memory.open if title == name)
    call_id = call_id or next(alike, memory.open[0][0] if memory.open else f"result:{name}")
    memory.open = [(call, title) for call, title in memory.open if call != call_id]
    inner = told.get("content", told.get("result"))
    blocks = [_block(item, "", 0) for item in (inner if isinstance(inner, list) else [inner])]
    text = "\n".join(block.text for block in blocks if block and block.kind == TEXT)
    return ToolResult(call_id, text, told.get("is_error") is True)
