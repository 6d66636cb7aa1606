"""Where Gemini CLI's session files lie, which of them are one session, and whose they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sessions_app.agents.base import SourceFile
from sessions_app.agents.folders import Folder
from sessions_app.agents.folders import walk as walk_folders

SUFFIXES = (".jsonl", ".json")
SESSION_FILE = re.compile(r"session-.*-([0-9A-Za-z_]{8})\.jsonl?")
SESSION_ID = re.compile(rb'"sessionId"\s*:\s*"([^"\\]{1,200})"')
SNIFF_SIZE = 64 * 1024
ROOT_SIZE = 4096


def walk(root: Path) -> Iterator[SourceFile]:
    """Every session below `root`; inside of a `.gemini` only what lies in `chats`."""
    for folder in walk_folders(root):
        path = folder.path
        if path.name == ".gemini":  # beside the sessions lie credentials and histories
            folder.folders = [name for name in folder.folders if name == "tmp"]
            continue
        if path.name == "tmp" and path.parent.name == ".gemini":
            continue
        if path.parent.name == "tmp" and path.parent.parent.name == ".gemini":
            folder.folders = [name for name in folder.folders if name == "chats"]
            continue
        yield from sessions(folder, root)


def sessions(folder: Folder, root: Path) -> Iterator[SourceFile]:
    """The sessions of one folder: files of one session are one unit of reading."""
    known = is_known(folder.path)
    groups: dict[str, list[Path]] = {}
    for path in (folder.path / name for name in folder.files if name.endswith(SUFFIXES)):
        if known or looks_right(path):
            found = SESSION_FILE.fullmatch(path.name)
            groups.setdefault(found[1] if found else path.name, []).append(path)
    for paths in groups.values():
        for one in same_session(paths):
            yield source_file(one, root)


def same_session(paths: list[Path]) -> Iterator[list[Path]]:
    """The names hold only the start of an id, so that the ids themselves decide."""
    if len(paths) == 1:
        yield paths
        return
    groups: dict[bytes, list[Path]] = {}
    for path in paths:
        found = SESSION_ID.search(_ends(path))
        groups.setdefault(found[1] if found else bytes(path), []).append(path)
    yield from groups.values()


def source_file(paths: list[Path], root: Path) -> SourceFile:
    """The log before the old document that became one; of two logs the first goes on growing."""
    first, *others = sorted(paths, key=lambda path: (path.suffix != ".jsonl", path.name))
    return SourceFile(first, root=root, companions=tuple(others))


def is_known(folder: Path) -> bool:
    """Whether `folder` is the `chats` of a Gemini project, or that of a session's sub-agents."""
    for path in (folder, folder.parent):
        if path.name == "chats" and path.parent.parent.name == "tmp":
            return path.parent.parent.parent.name == ".gemini"
    return False


def looks_right(path: Path) -> bool:
    """Whether a file by hand is a session: a document may name itself at its end only."""
    ends = _ends(path)
    if path.suffix == ".jsonl":
        ends = ends.partition(b"\n")[0]
    elif b'"messages"' not in ends:
        return False
    return b'"sessionId"' in ends and b'"projectHash"' in ends


def _ends(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(SNIFF_SIZE)
            if len(head) == SNIFF_SIZE:
                file.seek(-min(SNIFF_SIZE, path.stat().st_size - SNIFF_SIZE), 2)
                head += file.read(SNIFF_SIZE)
    except OSError:
        return b""
    return head


def parent_session(path: Path) -> str:
    """The session whose sub-agent wrote this file: `chats/<its id>/<own id>.jsonl`."""
    return path.parent.name if path.parent.parent.name == "chats" else ""


def project_root(path: Path) -> str:
    """The working folder, from the `.project_root` beside the `chats` of this file.

    All sessions of a project share that small file, so that it is no companion of one of them.
    """
    chats = next((folder for folder in path.parents if folder.name == "chats"), None)
    if chats is None:
        return ""
    note = chats.parent / ".project_root"
    try:
        if note.is_symlink() or not note.is_file():
            return ""
        with note.open("rb") as file:
            told = file.read(ROOT_SIZE + 1)
    except OSError:
        return ""
    return told.decode("utf-8", "replace").strip() if len(told) <= ROOT_SIZE else ""
