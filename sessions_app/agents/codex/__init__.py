"""Codex: rollouts below ~/.codex, and the names of threads in its session index."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from sessions_app.agents.base import PART_SIZE, SourceFile, UnreadableSession
from sessions_app.agents.codex.lines import IndexLine
from sessions_app.agents.codex.reading import Reading
from sessions_app.agents.folders import walk
from sessions_app.agents.lines import BOM, LineReader, parse
from sessions_app.agents.shell import in_folder, is_safe_word
from sessions_app.records import TITLE_AGENT, Position, SessionFacts, SessionRecord

INDEX = "session_index.jsonl"
ARCHIVE = "archived_sessions"
FOLDERS = ("sessions", ARCHIVE)
TYPES = ("session_meta", "turn_context", "response_item", "event_msg", "compacted", "world_state")
SNIFF_LINES, SNIFF_BYTES = 10, 1024 * 1024


class Codex:
    """The agent module of Codex."""

    name = "codex"
    label = "Codex"
    backends: tuple[str, ...] = ("codex",)
    version = 2

    def homes(self, home: Path) -> list[Path]:
        """$CODEX_HOME belongs to whoever runs this; another person's home has its .codex."""
        told = os.environ.get("CODEX_HOME")
        return [Path(told)] if told and home == Path.home() else [home / ".codex"]

    def session_files(self, root: Path) -> Iterator[SourceFile]:
        """Rollouts, live ones before archived ones, and then the index of their names.

        `root` is a home, `.codex`, any folder, or one file; outside of a Codex home a file is
        taken only if its first lines look right.
        """
        if (root / ".codex").is_dir():
            root = root / ".codex"
        places = [root / folder for folder in FOLDERS if (root / folder).is_dir()]
        if places:
            found = [path for place in places for path in _logs(place) if _is_rollout(path)]
        elif root.is_file():
            found = [root] if root.suffix == ".jsonl" and _looks_right(root) else []
        else:
            found = [path for path in _logs(root) if _looks_right(path)]
            found.sort(key=_is_archived)
        live = {path.name for path in found if not _is_archived(path)}
        for path in found:
            if not (_is_archived(path) and path.name in live):
                yield SourceFile(path, root=path.parent if path == root else root)
        index = root / INDEX
        if index.is_file() and not index.is_symlink():
            yield SourceFile(index, root=root, side=True)

    def read(self, source: SourceFile, after: Position | None) -> Iterator[SessionRecord]:
        """See Agent.read."""
        if source.path.name == INDEX:
            yield from _read_index(source, after)
            return
        if after is not None and after.version != self.version:
            after = None
        reading = Reading(source, after)
        for line in source.lines(after):
            reading.take(line)
            if reading.size >= PART_SIZE and reading.memory.identity:
                yield reading.part(self.version)
        if not reading.size:
            return
        if not reading.memory.identity:
            source.end = after or Position()
            raise UnreadableSession("no Codex session in this file")
        yield reading.part(self.version)

    def live_sessions(self, root: Path) -> dict[str, bool]:
        """Codex keeps no registry of running processes."""
        return {}

    def resume_command(self, session: SessionFacts, prompt: str | None) -> str | None:
        """`codex resume`, in the session's folder; a sub-agent goes on only inside its parent."""
        if session.kind != "main" or not is_safe_word(session.backend_session_id):
            return None
        return in_folder(session.work_dir, ["codex", "resume", session.backend_session_id], prompt)


def _read_index(source: SourceFile, after: Position | None) -> Iterator[SessionRecord]:
    """The last name of each thread; a session must exist to get it."""
    reader = LineReader(source, IndexLine)
    names: dict[str, str] = {}
    for line in source.lines(after):
        entry: IndexLine | None = reader.struct(line)
        if entry is not None and entry.id and entry.thread_name:
            names[entry.id] = entry.thread_name
    for identity, name in names.items():
        yield SessionRecord(
            "codex",
            "codex",
            identity,
            joins=True,
            only_if_known=True,
            title=name,
            title_rank=TITLE_AGENT,
            problems=reader.take_problems(),
        )


def _logs(folder: Path) -> Iterator[Path]:
    for found in walk(folder):
        yield from (found.path / name for name in found.files if name.endswith(".jsonl"))


def _is_rollout(path: Path) -> bool:
    return path.name.startswith("rollout-")


def _is_archived(path: Path) -> bool:
    return ARCHIVE in path.parts


def _looks_right(path: Path) -> bool:
    """One of the first lines is a Codex line."""
    try:
        with path.open("rb") as handle:
            head = handle.read(SNIFF_BYTES).removeprefix(BOM)
    except OSError:
        return False
    return any(_is_codex_line(line) for line in islice(head.split(b"\n"), SNIFF_LINES))


def _is_codex_line(line: bytes) -> bool:
    """In its envelope, or an item or head of the first versions, which had none."""
    try:
        value = parse(line)
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, dict):
        return False
    kind = value.get("type")
    if kind in TYPES:
        return isinstance(value.get("payload"), dict) and "timestamp" in value
    parts = value.get("content")
    if kind == "message" and isinstance(parts, list):
        kinds = [part.get("type") for part in parts if isinstance(part, dict)]
        return "input_text" in kinds or "output_text" in kinds
    return kind is None and {"id", "timestamp", "instructions"} <= value.keys()
