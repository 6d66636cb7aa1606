"""Claude Code: where its logs lie, and how its sessions go on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sessions_app.agents import shell
from sessions_app.agents.base import PART_SIZE, SourceFile, UnreadableSession
from sessions_app.agents.claude_code.facts import Memory
from sessions_app.agents.claude_code.files import (
    configured_folders,
    is_known,
    looks_right,
    meta_file,
    registries,
    source_file,
    walk,
)
from sessions_app.agents.claude_code.lines import ClaudeLine
from sessions_app.agents.claude_code.reading import Reading
from sessions_app.agents.folders import existing
from sessions_app.agents.lines import LineReader, parse
from sessions_app.agents.processes import is_running
from sessions_app.records import Position, SessionFacts, SessionRecord


class ClaudeCode:
    """Reads `projects/<folder>/<session>.jsonl` and the sub-agents below it."""

    name = "claude-code"
    label = "Claude Code"
    backends: tuple[str, ...] = ("claude",)
    version = 1

    def homes(self, home: Path) -> list[Path]:
        """The `projects` folders of this home; $CLAUDE_CONFIG_DIR belongs to our own home only."""
        folders = [home / ".claude", home / ".config" / "claude"]
        if home == Path.home():
            folders = configured_folders() or folders
        return [folder / "projects" for folder in folders]

    def session_files(self, root: Path) -> Iterator[SourceFile]:
        """Logs below `root`: a home, `.claude`, `projects`, one project, any folder, or one file.

        Outside of a known `projects` folder a file is taken only if its first lines look right.
        """
        if root.is_file():
            if root.suffix == ".jsonl" and (is_known(root.parent) or looks_right(root)):
                yield source_file(root, root.parent, has_meta=meta_file(root).is_file())
            return
        inner = root / "projects" if root.name == ".claude" else root
        for folder in existing(self.homes(root)) or [inner]:
            yield from walk(folder)

    def read(self, source: SourceFile, after: Position | None) -> Iterator[SessionRecord]:
        """See Agent.read. A file without any message yet is read anew when it has grown."""
        if after is not None and (after.version != self.version or not after.state):
            after = None
        memory = msgspec.msgpack.decode(after.state, type=Memory) if after else Memory()
        reading, reader = Reading(source, memory), LineReader(source, ClaudeLine)
        size = 0
        for where in source.lines(after):
            size += len(where.data)
            line = reader.struct(where)
            if line is not None:
                reading.take(where, line)
            if size >= PART_SIZE and memory.has_content:
                yield self._part(source, reading, reader)
                size = 0
        reading.facts.look_back()
        if not memory.has_content:
            source.end = Position()
            if reader.problems:
                first = reader.problems[0]
                raise UnreadableSession(f"no message in it; line {first.line}: {first.reason}")
        elif reading.lines or reader.problems:
            yield self._part(source, reading, reader)
        else:
            self._mark(source, memory)

    def _part(self, source: SourceFile, reading: Reading, reader: LineReader) -> SessionRecord:
        record = reading.part(reader.take_problems())
        self._mark(source, reading.memory)
        return record

    def _mark(self, source: SourceFile, memory: Memory) -> None:
        source.end.version = self.version
        source.end.state = msgspec.msgpack.encode(memory)

    def live_sessions(self, root: Path) -> dict[str, bool]:
        """From `sessions/<pid>.json` beside `projects`: a killed process leaves its file behind."""
        alive: dict[str, bool] = {}
        for folder in registries(root):
            for path in sorted(folder.glob("*.json")):
                with contextlib.suppress(OSError, ValueError, RecursionError):
                    entry = parse(path.read_bytes()[:65536])
                    if isinstance(entry, dict) and isinstance(entry.get("sessionId"), str):
                        session = entry["sessionId"]
                        alive[session] = alive.get(session, False) or is_running(
                            entry.get("pid"), entry.get("procStart"), entry.get("startedAt")
                        )
        return alive

    def resume_command(self, session: SessionFacts, prompt: str | None) -> str | None:
        """`cd dir && claude --resume id`; None for sub-agents and for ids that are no ids."""
        if session.kind == "subagent" or not shell.is_safe_word(session.backend_session_id):
            return None
        words = ["claude", "--resume", session.backend_session_id]
        return shell.in_folder(session.work_dir, words, prompt)
