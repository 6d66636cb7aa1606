"""Kimi CLI, the older one in Python: where its sessions lie, and how they go on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sessions_app.agents import shell
from sessions_app.agents.base import PART_SIZE, SourceFile, UnreadableSession
from sessions_app.agents.folders import Folder, existing
from sessions_app.agents.kimi import context, facts, files
from sessions_app.agents.kimi.lines import ContextLine, Memory, WireLine
from sessions_app.agents.kimi.reading import Reading
from sessions_app.agents.lines import LineReader
from sessions_app.records import Position, SessionFacts, SessionRecord


class Kimi:
    """Reads `sessions/<md5 of the folder>/<session>/wire.jsonl` and the sub-agents' below it."""

    name = "kimi"
    label = "Kimi CLI"
    backends: tuple[str, ...] = ("kimi",)
    version = 1

    def homes(self, home: Path) -> list[Path]:
        """`~/.kimi/sessions`; $KIMI_SHARE_DIR stands for our own home only."""
        told = os.environ.get("KIMI_SHARE_DIR")
        base = Path(told).expanduser() if told and home == Path.home() else home / ".kimi"
        return [base / "sessions"]

    def session_files(self, root: Path) -> Iterator[SourceFile]:
        """Sessions below `root`: a home, `.kimi`, any folder, or one file.

        Outside of a known folder a file is taken only if its first lines look right.
        """
        if root.is_file():
            beside = files.sources(Folder(root.parent), root.parent)
            yield from (one for one in beside if root in (one.path, *one.companions))
            return
        for folder in existing(self.homes(root)) or [root]:
            yield from files.walk(folder)

    def read(self, source: SourceFile, after: Position | None) -> Iterator[SessionRecord]:
        """See Agent.read. A file without any message yet is read anew when it has grown."""
        if after is not None and (after.version != self.version or not after.state):
            after = None
        memory = msgspec.msgpack.decode(after.state, type=Memory) if after else Memory()
        reading = Reading(memory, facts.record(source, memory))
        is_wire = source.path.name == files.WIRE
        reader = LineReader(source, WireLine if is_wire else ContextLine)
        size = 0
        for where in source.lines(after):
            size += len(where.data)
            line = reader.struct(where)
            if isinstance(line, WireLine):
                reading.take(where, line)
            elif line is not None:
                context.take(reading.record, memory, where, line)
            if size >= PART_SIZE and memory.has_content:
                yield self._part(source, reading, reader)
                size = 0
        if memory.has_content:
            # Only now: the bytes of what lies beside it are stored with the last part.
            facts.keep_context(source, memory, reading.record)
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
        """Kimi CLI keeps no registry of running processes."""
        return {}

    def resume_command(self, session: SessionFacts, prompt: str | None) -> str | None:
        """`cd dir && kimi --session id`; a sub-agent goes on only inside its parent."""
        if session.kind == "subagent" or not shell.is_safe_word(session.backend_session_id):
            return None
        words = ["kimi", "--session", session.backend_session_id]
        return shell.in_folder(session.work_dir, words, prompt, option="--prompt")
