"""Where Kimi CLI's session files lie, and the small files beside them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sessions_app.agents.base import SourceFile
from sessions_app.agents.folders import Folder
from sessions_app.agents.folders import walk as walk_folders
from sessions_app.agents.lines import BOM, parse

WIRE, CONTEXT, STATE, META = "wire.jsonl", "context.jsonl", "state.json", "meta.json"
SUBAGENTS = "subagents"
WORK_DIR = re.compile(r"(?:(?P<kaos>.+)_)?(?P<md5>[0-9a-f]{32})")
SESSION_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
HEADER = 512  # a wire of at most so many bytes may hold nothing but its first line
SNIFF_SIZE = 64 * 1024
SMALL = 4 * 1024 * 1024


def walk(root: Path) -> Iterator[SourceFile]:
    """Every session and sub-agent below `root`, in order of names."""
    for folder in walk_folders(root):
        if folder.path.name == ".kimi":  # beside the sessions lie credentials and logs
            folder.folders = [name for name in folder.folders if name == "sessions"]
            continue
        if folder.path.name == ".kimi-code":
            folder.folders.clear()
            continue
        yield from sources(folder, root)


def sources(folder: Folder, root: Path) -> Iterator[SourceFile]:
    """The session of a folder, or the bare files that very old versions kept for theirs."""
    if _is_work_dir(folder.path):
        for path in (folder.path / name for name in folder.files):
            if path.suffix == ".jsonl" and SESSION_ID.fullmatch(path.stem):
                yield SourceFile(path, root=root)
    elif {WIRE, CONTEXT} & set(folder.files) and _is_session(folder):
        yield _source(folder, root)


def _source(folder: Folder, root: Path) -> SourceFile:
    """The wire tells what happened; without turns in it the context is all that there is.

    Such a wire is no companion: when a later version goes on with the session it tells the new
    turns, and what was read from the context stays.
    """
    path, names = folder.path, folder.files
    small = META if path.parent.name == SUBAGENTS else STATE
    main = WIRE if WIRE in names and (CONTEXT not in names or has_turns(path / WIRE)) else CONTEXT
    beside = [small] if main == CONTEXT else [small, CONTEXT]
    return SourceFile(
        path / main, root=root, companions=tuple(path / name for name in beside if name in names)
    )


def has_turns(wire: Path) -> bool:
    """Whether there is more than the header in it."""
    try:
        if wire.stat().st_size > HEADER:
            return True
        return b'"message"' in wire.read_bytes()
    except OSError:
        return False


def _is_work_dir(path: Path) -> bool:
    return path.parent.name == "sessions" and WORK_DIR.fullmatch(path.name) is not None


def _is_session(folder: Folder) -> bool:
    """By its place; outside of a known one by the first lines."""
    path = folder.path
    if path.parent.name == "agents":  # Kimi Code's
        return False
    if path.parent.name == SUBAGENTS:
        path = path.parent.parent
    if _is_work_dir(path.parent):
        return True
    return any(_looks_right(folder.path / name) for name in (WIRE, CONTEXT) if name in folder.files)


def _looks_right(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            lines = file.read(SNIFF_SIZE).removeprefix(BOM).split(b"\n")[:4]
    except OSError:
        return False
    return any(_sniff(line, path.name) for line in lines)


def _sniff(line: bytes, name: str) -> bool:
    try:
        value = parse(line)
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, dict):
        return False
    if name == CONTEXT:
        return str(value.get("role")) in ("_system_prompt", "_checkpoint", "_usage")
    message = value.get("message")
    return isinstance(message, dict) and "payload" in message and "timestamp" in value


def parent_session(path: Path) -> str:
    """The session whose sub-agent wrote this file; empty for a session itself."""
    folder = path.parent
    return folder.parent.parent.name if folder.parent.name == SUBAGENTS else ""


def session_id(path: Path) -> str:
    """The id of the session or sub-agent that this file tells of."""
    return path.parent.name if path.name in (WIRE, CONTEXT) else path.stem


def work_dir(path: Path) -> tuple[str, str]:
    """The working folder and the machine that it is on ("" for this one), from `kimi.json`.

    All sessions share that file, so that it is no companion of one of them.
    """
    for folder in path.parents[:5]:
        found = WORK_DIR.fullmatch(folder.name)
        if found is None or folder.parent.name != "sessions":
            continue
        entries = document(folder.parent.parent / "kimi.json").get("work_dirs")
        for entry in entries if isinstance(entries, list) else ():
            told = entry.get("path") if isinstance(entry, dict) else None
            if isinstance(told, str) and _md5(told) == found["md5"]:
                return told, found["kaos"] or ""
    return "", ""


def _md5(path: str) -> str:
    data = path.encode("utf-8", "surrogatepass")
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def document(path: Path) -> dict[str, Any]:
    """A small JSON document that several sessions share; empty when there is none to read."""
    try:
        if path.is_symlink() or path.stat().st_size > SMALL:
            return {}
        value = parse(path.read_bytes().removeprefix(BOM))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def spawning_line(wire: Path, agent_id: str) -> dict[str, Any]:
    """The first line of the parent's wire that names this sub-agent."""
    needle = f'"{agent_id}"'.encode()
    try:
        if wire.is_symlink():
            return {}
        with wire.open("rb") as file:
            for line in file:
                if needle in line and b"ubagent" in line:
                    value = parse(line)
                    if isinstance(value, dict):
                        return value
    except (OSError, ValueError, RecursionError):
        return {}
    return {}
