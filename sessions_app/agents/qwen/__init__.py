"""Qwen Code: where its chats lie, and how they go on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sessions_app.agents import shell
from sessions_app.agents.base import PART_SIZE, Line, SourceFile, UnreadableSession
from sessions_app.agents.folders import Folder, existing, walk
from sessions_app.agents.lines import BOM, LineReader
from sessions_app.agents.qwen.lines import QwenLine
from sessions_app.agents.qwen.reading import Memory, Reading
from sessions_app.records import Position, SessionFacts, SessionRecord

SNIFF_LINES, SNIFF_SIZE = 20, 1024 * 1024
GLUE = b'}{"uuid":'
CONVERSATION = ("user", "assistant", "tool_result")


class Qwen:
    """Reads `projects/<folder>/chats/<session>.jsonl` and the sub-agents beside them."""

    name = "qwen"
    label = "Qwen Code"
    backends: tuple[str, ...] = ("qwen",)
    version = 1

    def homes(self, home: Path) -> list[Path]:
        """`.qwen/projects`; $QWEN_RUNTIME_DIR and $QWEN_HOME belong to our own home only."""
        told = _configured() if home == Path.home() else None
        return [(told or home / ".qwen") / "projects"]

    def session_files(self, root: Path) -> Iterator[SourceFile]:
        """Chats below `root`: a home, `.qwen`, `projects`, any folder, or one file.

        Outside of a known folder a file is taken only if its first lines look right.
        """
        if root.is_file():
            if root.suffix == ".jsonl" and (_is_known(root.parent) or _looks_right(root)):
                yield SourceFile(root, root=root.parent)
            return
        inner = root / "projects" if root.name == ".qwen" else root
        for top in existing(self.homes(root)) or [inner]:
            for folder in walk(top):
                yield from _chats(folder, top)

    def read(self, source: SourceFile, after: Position | None) -> Iterator[SessionRecord]:
        """See Agent.read. A file without any message yet is read anew when it has grown."""
        if after is not None and (after.version != self.version or not after.state):
            after = None
        memory = msgspec.msgpack.decode(after.state, type=Memory) if after else _memory(source)
        reading, reader = Reading(memory, source.path.stem), LineReader(source, QwenLine)
        size = 0
        for where in source.lines(after):
            size += len(where.data)
            for piece in _pieces(where):
                line: QwenLine | None = reader.struct(piece)
                if line is not None:
                    reading.take(piece, line)
            if size >= PART_SIZE and memory.has_content:
                yield self._part(source, reading, reader)
                size = 0
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
        record = reading.part()
        record.problems = reader.take_problems()
        self._mark(source, reading.memory)
        return record

    def _mark(self, source: SourceFile, memory: Memory) -> None:
        source.end.version = self.version
        source.end.state = msgspec.msgpack.encode(memory)

    def live_sessions(self, root: Path) -> dict[str, bool]:
        """Qwen Code keeps no registry of running processes that we know of."""
        return {}

    def resume_command(self, session: SessionFacts, prompt: str | None) -> str | None:
        """`cd dir && qwen --resume id`; None for sub-agents and for ids that are no ids."""
        if session.kind == "subagent" or not shell.is_safe_word(session.backend_session_id):
            return None
        words = ["qwen", "--resume", session.backend_session_id]
        return shell.in_folder(session.work_dir, words, prompt)


def _configured() -> Path | None:
    told = os.environ.get("QWEN_RUNTIME_DIR") or os.environ.get("QWEN_HOME")
    return Path(told).expanduser() if told else None


def _pieces(where: Line) -> Iterator[Line]:
    """A line, or the two of them when a killed process left the first one without its newline.

    Inside of a JSON text the quotes behind such a pair of braces would be escaped.
    """
    first, *others = where.data.split(GLUE)
    pieces = [first, *(GLUE[1:] + other for other in others)]
    for piece in pieces[:-1]:
        yield where._replace(data=piece + GLUE[:1])
    yield where._replace(data=pieces[-1])


def _memory(source: SourceFile) -> Memory:
    """A sub-agent is named by its file, `subagents/<session>/agent-<id>.jsonl`."""
    folder = source.path.parent
    if folder.parent.name == "subagents":
        return Memory(session=source.path.stem, parent=folder.name)
    return Memory()


def _chats(folder: Folder, root: Path) -> Iterator[SourceFile]:
    if folder.path.name == ".qwen":  # beside the chats lie credentials and settings
        folder.folders = [name for name in folder.folders if name == "projects"]
        return
    known = _is_known(folder.path)
    for path in (folder.path / name for name in folder.files if name.endswith(".jsonl")):
        if known or _looks_right(path):
            yield SourceFile(path, root=root)


def _is_known(folder: Path) -> bool:
    """Whether `folder` is the `chats` of a project, or that of a session's sub-agents."""
    place = folder if folder.name == "chats" else folder.parent
    if place.name not in ("chats", "subagents") or place.parent.parent.name != "projects":
        return False
    home = place.parent.parent.parent
    return home.name == ".qwen" or home == _configured()


class Sniffed(msgspec.Struct):
    """What tells the agents' logs apart: Claude Code's messages have `content` for `parts`."""

    type: str = ""
    uuid: str = ""
    message: dict[str, msgspec.Raw] = {}


def _looks_right(path: Path) -> bool:
    """The first line of the conversation decides."""
    try:
        with path.open("rb") as file:
            lines = [file.readline(SNIFF_SIZE) for _ in range(SNIFF_LINES)]
    except OSError:
        return False
    for line in lines:
        try:
            first = next(_pieces(Line(line.removeprefix(BOM), 0, 1)))
            head = msgspec.json.decode(first.data, type=Sniffed)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            continue
        if head.type in CONVERSATION:
            return bool(head.uuid) and "parts" in head.message
    return False
