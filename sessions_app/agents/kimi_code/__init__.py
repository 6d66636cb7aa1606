"""Kimi Code, the newer one in TypeScript: where its sessions lie, and how they go on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sessions_app.agents import shell
from sessions_app.agents.base import PART_SIZE, SourceFile, UnreadableSession
from sessions_app.agents.folders import Folder, existing, walk
from sessions_app.agents.kimi_code import files
from sessions_app.agents.kimi_code.lines import Memory, WireLine
from sessions_app.agents.kimi_code.reading import Reading
from sessions_app.agents.lines import LineReader
from sessions_app.records import Position, SessionFacts, SessionRecord


class KimiCode:
    """Reads `sessions/<folder>/<session>/agents/<agent>/wire.jsonl`."""

    name = "kimi-code"
    label = "Kimi Code"
    backends: tuple[str, ...] = ("kimi-code",)
    version = 1

    def homes(self, home: Path) -> list[Path]:
        """`~/.kimi-code/sessions`; $KIMI_CODE_HOME stands for our own home only."""
        told = os.environ.get("KIMI_CODE_HOME")
        base = Path(told).expanduser() if told and home == Path.home() else home / ".kimi-code"
        return [base / "sessions"]

    def session_files(self, root: Path) -> Iterator[SourceFile]:
        """Wires below `root`: a home, `.kimi-code`, any folder, or one file."""
        if root.is_file():
            if files.is_wire(root) or root.name == files.STATE:
                top = root.parent if root.name == files.STATE else root.parents[2]
                beside = files.sources(Folder(top / "agents"), root.parent)
                yield from (one for one in beside if root in (one.path, *one.companions))
            return
        for top in existing(self.homes(root)) or [root]:
            for folder in walk(top):
                if folder.path.name == ".kimi-code":  # beside the sessions lie credentials
                    folder.folders = [name for name in folder.folders if name == "sessions"]
                elif folder.path.name == "agents":
                    yield from files.sources(folder, top)
                    folder.folders.clear()

    def read(self, source: SourceFile, after: Position | None) -> Iterator[SessionRecord]:
        """See Agent.read. A file without any message yet is read anew when it has grown."""
        if after is not None and (after.version != self.version or not after.state):
            after = None
        memory = msgspec.msgpack.decode(after.state, type=Memory) if after else Memory()
        reading = Reading(memory, files.record(source, memory))
        reader, size = LineReader(source, WireLine), 0
        for where in source.lines(after):
            size += len(where.data)
            line = reader.struct(where)
            if line is not None:
                reading.take(where, line)
            if size >= PART_SIZE and memory.has_content:
                yield self._part(source, reading, reader)
                size = 0
        if memory.has_content:
            yield self._part(source, reading, reader)
            return
        source.end = Position()
        if reader.problems:
            first = reader.problems[0]
            raise UnreadableSession(f"no message in it; line {first.line}: {first.reason}")

    def _part(self, source: SourceFile, reading: Reading, reader: LineReader) -> SessionRecord:
        record = reading.part()
        record.problems += reader.take_problems()
        source.end.version = self.version
        source.end.state = msgspec.msgpack.encode(reading.memory)
        return record

    def live_sessions(self, root: Path) -> dict[str, bool]:
        """Kimi Code keeps no registry of running processes."""
        return {}

    def resume_command(self, session: SessionFacts, prompt: str | None) -> str | None:
        """`cd dir && kimi -r id`, as it prints itself; a sub-agent goes on inside its parent."""
        if session.kind == "subagent" or not shell.is_safe_word(session.backend_session_id):
            return None
        words = ["kimi", "-r", session.backend_session_id]
        return shell.in_folder(session.work_dir, words, prompt, option="--prompt")
