"""Copilot CLI: where its sessions lie, and how they go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from sessions_app.agents import shell
from sessions_app.agents.base import PART_SIZE, SourceFile, UnreadableSession
from sessions_app.agents.copilot import files
from sessions_app.agents.copilot.lines import CopilotLine, Memory
from sessions_app.agents.copilot.reading import Reading
from sessions_app.agents.folders import Folder, existing, walk
from sessions_app.agents.lines import LineReader
from sessions_app.records import Position, SessionFacts, SessionRecord


class Copilot:
    """Reads `session-state/<session>/events.jsonl`, in which sub-agents speak as well."""

    name = "copilot"
    label = "Copilot CLI"
    backends: tuple[str, ...] = ("copilot",)
    version = 1

    def homes(self, home: Path) -> list[Path]:
        """`~/.copilot/session-state`."""
        return [files.home_of(home) / files.STORE]

    def session_files(self, root: Path) -> Iterator[SourceFile]:
        """Sessions below `root`: a home, `.copilot`, `session-state`, any folder, or one file.

        Outside of a known folder a file is taken only if its first line looks right.
        """
        if root.is_file():
            beside = files.sources(Folder(root.parent), root.parent)
            yield from (one for one in beside if root in (one.path, *one.companions))
            return
        for top in existing(self.homes(root)) or [root]:
            for folder in walk(top):
                if folder.path.name == files.HOME:  # beside the sessions lie tokens and logs
                    folder.folders = [name for name in folder.folders if name == files.STORE]
                    continue
                yield from files.sources(folder, top)
                if folder.path.parent.name == files.STORE:
                    folder.folders.clear()  # copies of edited files, plans, checkpoints

    def read(self, source: SourceFile, after: Position | None) -> Iterator[SessionRecord]:
        """See Agent.read. A file without any message yet is read anew when it has grown."""
        if after is not None and (after.version != self.version or not after.state):
            after = None
        name = files.own_name(source.path)
        memory = msgspec.msgpack.decode(after.state, type=Memory) if after else Memory(name)
        reading = Reading(memory, source.path.stem)
        reader, size, told = LineReader(source, CopilotLine), 0, after or Position()
        for where in source.lines(after):
            size += len(where.data)
            line = reader.struct(where)
            if line is not None:
                reading.take(where, line)
            if size >= PART_SIZE and reading.has_content:
                yield from self._parts(source, reading, reader, told)
                told, size = msgspec.structs.replace(source.end), 0
        if reading.has_content:
            yield from self._parts(source, reading, reader, told)
            return
        source.end = Position()
        if reader.problems:
            first = reader.problems[0]
            raise UnreadableSession(f"no message in it; line {first.line}: {first.reason}")

    def _parts(
        self, source: SourceFile, reading: Reading, reader: LineReader, told: Position
    ) -> Iterator[SessionRecord]:
        """Sub-agents first: only with the session itself everything up to here is `told`."""
        *agents, main = reading.parts()
        files.add_facts(source, main)
        main.problems += reader.take_problems()
        end, source.end = source.end, told
        yield from agents
        end.version, end.state = self.version, msgspec.msgpack.encode(reading.memory)
        source.end = end
        yield main

    def live_sessions(self, root: Path) -> dict[str, bool]:
        """From `inuse.<pid>.lock` beside the events: a killed process leaves its mark behind."""
        return files.processes(root)

    def resume_command(self, session: SessionFacts, prompt: str | None) -> str | None:
        """`cd dir && copilot --resume=id`; a sub-agent goes on inside its parent."""
        if session.kind == "subagent" or not shell.is_safe_word(session.backend_session_id):
            return None
        words = ["copilot", f"--resume={session.backend_session_id}"]
        return shell.in_folder(session.work_dir, words, prompt, option="--prompt")
