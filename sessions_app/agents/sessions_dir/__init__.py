"""Session folders: metadata.json, messages.jsonl, snapshots and artifacts, a folder a session."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from sessions_app import border
from sessions_app.agents import shell
from sessions_app.agents.base import PART_SIZE, Line, SourceFile
from sessions_app.agents.folders import Folder, walk
from sessions_app.agents.lines import LineReader
from sessions_app.agents.sessions_dir import facts as told
from sessions_app.agents.sessions_dir import files
from sessions_app.records import (
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
)

ROLES = {"user": "prompt", "assistant": "answer", "tool": "note", "system": "injected"}


class MessageLine(msgspec.Struct):
    """A line of messages.jsonl."""

    role: str
    content: Any = None
    timestamp: Any = None
    metadata: Any = None


class Memory(msgspec.Struct, array_like=True):
    """What a later reading must know: small files that were read, and whether facts were told."""

    seen: files.Seen = {}
    rebuilt: bool = False


class SessionsDir:
    """Reads `<id>/messages.jsonl` and what lies beside it, mostly in `~/.kimi/sessions`."""

    name = "sessions-dir"
    label = "Sessions folder"
    backends: tuple[str, ...] = ("kimi",)
    version = 1

    def homes(self, home: Path) -> list[Path]:
        """`~/.kimi/sessions`."""
        return [home / ".kimi" / "sessions"]

    def session_files(self, root: Path) -> Iterator[SourceFile]:
        """Session folders in and below `root`, or the one that a file given by hand lies in."""
        if root.is_file():
            folder = Folder(root.parent)
            if root.name in (files.MESSAGES, files.METADATA) and files.is_session(folder):
                yield files.source_file(folder, root.parent)
            return
        for folder in _sessions(root):
            yield files.source_file(folder, root)

    def read(self, source: SourceFile, after: Position | None) -> Iterator[SessionRecord]:
        """New messages, the facts as they are now, and the small files that have changed."""
        if after is not None and after.version != self.version:
            after = None
        memory = msgspec.msgpack.decode(after.state, type=Memory) if after else Memory()
        facts, problems = told.facts_of(source)
        messages: list[MessageRecord] = []
        if source.path.name == files.MESSAGES:
            reader, size = LineReader(source, MessageLine), 0
            for line in source.lines(after):
                size += len(line.data)
                if (message := _message(reader, line)) is not None:
                    messages.append(message)
                if size >= PART_SIZE:
                    self._mark(source, memory)
                    yield _session(source, facts, messages, reader.take_problems())
                    messages, size = [], 0
            problems += reader.take_problems()
        else:
            source.end = Position()
        record = _session(source, facts, messages, problems)
        if after is None:
            _add_file_times(record, source)
        if not facts or memory.rebuilt:
            record.metadata["rebuilt"] = not facts
        _add_small_files(source, record, memory.seen)
        self._mark(source, Memory(memory.seen, not facts))
        yield record

    def _mark(self, source: SourceFile, memory: Memory) -> None:
        source.end.version = self.version
        source.end.state = msgspec.msgpack.encode(memory)

    def live_sessions(self, root: Path) -> dict[str, bool]:
        """Whose lock is held; a free one says nothing, since writers hold it only while writing."""
        return dict.fromkeys(files.locked_sessions(_sessions(root)), True)

    def resume_command(self, session: SessionFacts, prompt: str | None) -> str | None:
        """`cd dir && kimi --session id`; None for ids that are no ids."""
        if not shell.is_safe_word(session.backend_session_id):
            return None
        words = ["kimi", "--session", session.backend_session_id]
        return shell.in_folder(session.work_dir, words, prompt, option="--prompt")


def _sessions(root: Path) -> Iterator[Folder]:
    for folder in walk(root, 1 if files.is_home(root) else None):
        if files.is_session(folder):
            yield folder
            folder.folders.clear()


def _message(reader: LineReader, line: Line) -> MessageRecord | None:
    message = reader.struct(line)
    if message is None:
        return None
    role = message.role if message.role in ROLES else "system"
    metadata = message.metadata if isinstance(message.metadata, dict) else {}
    if not isinstance(message.metadata, dict) and message.metadata is not None:
        metadata = {"metadata": message.metadata}
    if role != message.role:
        metadata = {**metadata, "role": message.role}
    model = metadata.get("model")
    return MessageRecord(
        f"L{line.number}",
        role,
        [Block(TEXT, text)] if (text := _text(message.content)) else [],
        ROLES[role] if role == message.role else "note",
        files.local_time(message.timestamp),
        model if isinstance(model, str) and role == "assistant" else "",
        metadata=metadata,
    )


def _text(content: object) -> str:
    if isinstance(content, str) or content is None:
        return content or ""
    return json.dumps(border.clean_json(content), ensure_ascii=False, indent=2)


def _session(
    source: SourceFile,
    facts: dict[str, Any],
    messages: list[MessageRecord],
    problems: list[Problem],
) -> SessionRecord:
    """The session as its metadata tells it, completed by what its messages and files tell."""
    name = files.printable(source.path.parent.name)
    description = told.word(facts, "description")
    status = told.word(facts, "status").lower()
    prompts = [message for message in messages if message.kind == "prompt" and message.blocks]
    record = SessionRecord(
        agent=SessionsDir.name,
        backend="kimi",
        identity=name,
        backend_session_id=name,
        title=description,
        title_rank=TITLE_RECORD if description else 0,
        description=description,
        prompt=prompts[0].blocks[0].text if prompts else "",
        model=told.word(facts, "model"),
        work_dir=told.word(facts, "work_dir"),
        tags=told.words(facts.get("tags")),
        turn=told.TURNS.get(status, "") if facts else _turn(messages),
        status=status if status in told.TURNS else "",
        current_task=told.word(facts, "current_task"),
        progress=told.share(facts.get("progress")),
        total_steps=told.count(facts.get("total_steps")),
        metadata=told.others(facts, name),
        messages=messages,
        usages=told.usages(facts, name),
        problems=problems,
    )
    times = [message.at for message in messages if message.at]
    created = files.local_time(facts.get("created_at"))
    active = files.local_time(facts.get("last_active"))
    record.created_at = min((time for time in [created, *times] if time), default=None)
    record.last_active = max((time for time in [active, *times] if time), default=None)
    return record


def _turn(messages: list[MessageRecord]) -> str:
    """Without facts: whoever spoke last tells whether an answer is owed."""
    if not messages:
        return ""
    return TURN_ENDED if messages[-1].role == "assistant" else TURN_OPEN


def _add_file_times(record: SessionRecord, source: SourceFile) -> None:
    """When neither facts nor messages tell a time, the file's own is the best that there is."""
    if record.created_at is None or record.last_active is None:
        changed = datetime.fromtimestamp(source.path.stat().st_mtime, UTC)
        record.created_at = record.created_at or changed
        record.last_active = record.last_active or changed


def _add_small_files(source: SourceFile, record: SessionRecord, seen: files.Seen) -> None:
    """Snapshots and artifacts that are new or have changed; `seen` learns of them."""
    folder = source.path.parent
    for path, stat in files.files_below(folder, record.problems):
        name = files.printable(path.relative_to(folder).as_posix())
        if seen.get(name) == (stat.st_size, stat.st_mtime_ns):
            continue
        known = len(record.problems)
        if path.parent == folder / files.SNAPSHOTS:
            if snapshot := files.snapshot(source, path, record.problems):
                record.snapshots.append(snapshot)
        elif artifact := files.artifact(path, folder, stat, record.problems):
            record.artifacts.append(artifact)
        if len(record.problems) == known:  # what is wrong is told at every reading
            seen[name] = (stat.st_size, stat.st_mtime_ns)
