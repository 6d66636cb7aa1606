"""OpenCode: the database below ~/.local/share/opencode, and the older tree of JSON files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from sessions_app.agents.base import SourceFile, UnreadableSession
from sessions_app.agents.folders import Folder, walk
from sessions_app.agents.opencode import tree
from sessions_app.agents.opencode.database import WAL, opened_alone, text
from sessions_app.agents.opencode.reading import read_database
from sessions_app.agents.opencode.records import NAME
from sessions_app.agents.shell import in_folder, is_safe_word
from sessions_app.records import Position, SessionFacts, SessionRecord

DATABASE = re.compile(r"opencode(-[\w.-]+)?\.db")  # each release channel has its own
MAGIC = b"SQLite format 3\0"
STORAGE = "storage"


class OpenCode:
    """The agent module of OpenCode."""

    name = NAME
    label = "OpenCode"
    backends: tuple[str, ...] = (NAME,)
    version = 1

    def homes(self, home: Path) -> list[Path]:
        """$XDG_DATA_HOME belongs to whoever runs this; another person's home has its own."""
        told = os.environ.get("XDG_DATA_HOME")
        data = Path(told) if told and home == Path.home() else home / ".local" / "share"
        return [data / "opencode"]

    def session_files(self, root: Path) -> Iterator[SourceFile]:
        """Databases and trees in and below `root`, or one database or session file by hand."""
        if root.is_file():
            if DATABASE.fullmatch(root.name) and _is_database(root):
                yield _source_file(Folder(root.parent), root.name, root.parent)
            elif root.suffix == ".json" and tree.looks_right(root):
                yield tree.source_file(root, root.parent)
            return
        for folder in walk(root):
            names = [name for name in folder.files if DATABASE.fullmatch(name)]
            found = [name for name in names if _is_database(folder.path / name)]
            for name in found:
                yield _source_file(folder, name, root)
            if tree.FOLDERS.issubset(folder.folders):
                beside = Folder(folder.path.parent)
                yield from tree.sessions(folder.path, root, _known_beside(beside))
                folder.folders.clear()
            elif found or _is_home(folder):  # beside them lie snapshots of whole projects
                folder.folders = [name for name in folder.folders if name == STORAGE]

    def read(self, source: SourceFile, after: Position | None) -> Iterator[SessionRecord]:
        """See Agent.read."""
        if after is not None and (after.version != self.version or not after.state):
            after = None
        reader = tree.read_tree if source.path.suffix == ".json" else read_database
        yield from reader(source, after, self.version)

    def live_sessions(self, root: Path) -> dict[str, bool]:
        """OpenCode keeps no registry of running processes."""
        return {}

    def resume_command(self, session: SessionFacts, prompt: str | None) -> str | None:
        """`opencode --session`, in the session's folder; with a prompt it runs without a screen."""
        if session.kind != "main" or not is_safe_word(session.backend_session_id):
            return None
        words = ["opencode", *(["run"] if prompt else []), "--session", session.backend_session_id]
        return in_folder(session.work_dir, words, prompt)


def _is_home(folder: Folder) -> bool:
    return folder.path.name == NAME and STORAGE in folder.folders


def _source_file(folder: Folder, name: str, root: Path) -> SourceFile:
    """The database with its log, which holds the newest rows."""
    log = f"{name}{WAL}"
    companions = (folder.path / log,) if log in folder.files else ()
    return SourceFile(folder.path / name, root=root, companions=companions)


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _known_beside(folder: Folder) -> frozenset[str]:
    """Sessions in the databases of this folder: what was taken over from the tree counts there."""
    known: frozenset[str] = frozenset()
    for name in folder.files:
        path = folder.path / name
        if DATABASE.fullmatch(name) and _is_database(path):
            found = path.stat()
            known |= _sessions_in(path, found.st_size, found.st_mtime_ns)
    return known


@lru_cache(maxsize=16)
def _sessions_in(path: Path, size: int, mtime_ns: int) -> frozenset[str]:
    """Without a look at the log: what was taken over has left it long ago."""
    try:
        with opened_alone(path) as database:
            return frozenset(text(row["id"]) for row in database.rows("SELECT id FROM session"))
    except UnreadableSession:
        return frozenset()
