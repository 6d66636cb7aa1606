"""Gemini CLI: where its sessions lie, and how they go on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sessions_app.agents import shell
from sessions_app.agents.base import PART_SIZE, SourceFile, UnreadableSession
from sessions_app.agents.folders import Folder, existing
from sessions_app.agents.gemini import files
from sessions_app.agents.gemini.reading import Reading, read_appended, read_whole
from sessions_app.agents.gemini.records import Teller
from sessions_app.records import Position, SessionFacts, SessionRecord


class Gemini:
    """Reads `~/.gemini/tmp/<project>/chats`: record logs, old documents, sub-agents."""

    name = "gemini"
    label = "Gemini CLI"
    backends: tuple[str, ...] = ("gemini",)
    version = 1

    def homes(self, home: Path) -> list[Path]:
        """`.gemini/tmp`; $GEMINI_CLI_HOME stands for our own home only."""
        told = os.environ.get("GEMINI_CLI_HOME")
        base = Path(told) if told and home == Path.home() else home
        return [base / ".gemini" / "tmp"]

    def session_files(self, root: Path) -> Iterator[SourceFile]:
        """Sessions below `root`: a home, `.gemini`, a project, any folder, or one file.

        Outside of a known `chats` folder a file is taken only if it looks right.
        """
        if root.is_file():
            is_ours = files.is_known(root.parent) or files.looks_right(root)
            if root.suffix in files.SUFFIXES and is_ours:
                beside = files.sessions(Folder(root.parent), root.parent)
                yield from (one for one in beside if root in (one.path, *one.companions))
            return
        for folder in existing(self.homes(root)) or [root]:
            yield from files.walk(folder)

    def read(self, source: SourceFile, after: Position | None) -> Iterator[SessionRecord]:
        """See Agent.read. New lines that change what older ones said make it read all anew."""
        if after is not None and (after.version != self.version or not after.state):
            after = None
        appended = read_appended(source, after) if after is not None else None
        yield from self._tell(source, appended or read_whole(source))

    def _tell(self, source: SourceFile, reading: Reading) -> Iterator[SessionRecord]:
        end, memory = source.end, reading.memory
        held = None
        for part in Teller(reading, source.path).parts(PART_SIZE):
            if held is not None:
                source.end = Position()  # whoever is cut off here must begin again
                yield held
            held = part
        if held is None or not memory.has_content:
            source.end = Position()
            _complain(reading)
            return
        source.end = end
        end.version = self.version
        end.state = msgspec.msgpack.encode(memory) if end.offset else b""
        yield held

    def live_sessions(self, root: Path) -> dict[str, bool]:
        """Gemini CLI keeps no registry of running processes."""
        return {}

    def resume_command(self, session: SessionFacts, prompt: str | None) -> str | None:
        """`cd dir && gemini --resume id`; None for sub-agents and for ids that are no ids."""
        if session.kind == "subagent" or not shell.is_safe_word(session.backend_session_id):
            return None
        words = ["gemini", "--resume", session.backend_session_id]
        return shell.in_folder(session.work_dir, words, prompt)


def _complain(reading: Reading) -> None:
    """Nothing was said in it: a session may begin so, but not every file is one."""
    if reading.problems:
        first = reading.problems[0]
        raise UnreadableSession(f"no message in it; line {first.line}: {first.reason}")
    if reading.told and not any(record.session_id for record in reading.told):
        raise UnreadableSession("no session of Gemini CLI: it has neither id nor messages")
