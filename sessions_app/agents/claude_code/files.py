"""Where Claude Code's logs lie, and how to tell them from the logs of others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sessions_app.agents import folders
from sessions_app.agents.base import SourceFile

SNIFF_LINES, SNIFF_SIZE = 40, 4 * 1024 * 1024
CONVERSATION = ("user", "assistant")
OTHER_LINES = frozenset(
    ("summary", "system", "attachment", "mode", "permission-mode", "queue-operation", "progress",
     "custom-title", "ai-title", "agent-name", "last-prompt", "file-history-snapshot", "pr-link")
)  # fmt: skip


def configured_folders() -> list[Path]:
    """$CLAUDE_CONFIG_DIR, which may name several folders."""
    names = os.environ.get("CLAUDE_CONFIG_DIR", "").split(",")
    return [Path(name.strip()).expanduser() for name in names if name.strip()]


def is_known(folder: Path) -> bool:
    """Whether `folder` is, or lies in, the `projects` of a Claude Code home."""
    for path in (folder, *folder.parents):
        if path.name == "projects" and (
            path.parent.name in (".claude", "claude") or path.parent in configured_folders()
        ):
            return True
    return False


def walk(root: Path) -> Iterator[SourceFile]:
    """Every log below `root`, in order of names, files before folders; no symlink is followed."""
    for folder in folders.walk(root):
        if folder.path.name == ".claude":  # beside the logs lie settings, to-dos and histories
            folder.folders = [name for name in folder.folders if name == "projects"]
            continue
        known = is_known(folder.path)
        for path in (folder.path / name for name in folder.files):
            if is_log(path, known):
                yield source_file(path, root, has_meta=meta_file(path).name in folder.files)
        folder.folders = [name for name in folder.folders if name != "tool-results"]


def is_log(path: Path, known: bool) -> bool:
    """Whether `path` is a log: among sub-agents only theirs, elsewhere what looks right."""
    if path.suffix != ".jsonl":
        return False
    if "subagents" in path.parts and not path.name.startswith("agent-"):
        return False
    return known or looks_right(path)


def source_file(path: Path, root: Path, *, has_meta: bool) -> SourceFile:
    """A log, with the small file of facts that lies beside a sub-agent's."""
    return SourceFile(path, root=root, companions=(meta_file(path),) if has_meta else ())


def meta_file(path: Path) -> Path:
    """`agent-1.jsonl` -> `agent-1.meta.json`"""
    return path.with_suffix(".meta.json")


class Sniffed(msgspec.Struct):
    """What tells the agents' logs apart."""

    type: msgspec.Raw = msgspec.Raw()
    message: msgspec.Raw = msgspec.Raw()
    session_id: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="sessionId")
    leaf_uuid: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="leafUuid")
    payload: msgspec.Raw = msgspec.Raw()


class SniffedMessage(msgspec.Struct):
    """Qwen Code writes the same lines, with `parts` for `content`."""

    content: msgspec.Raw = msgspec.Raw()
    parts: msgspec.Raw = msgspec.Raw()


def looks_right(path: Path) -> bool:
    """Whether the first lines are Claude Code's: the first of the conversation decides."""
    verdict: bool | None = None
    try:
        with path.open("rb") as file:
            for _ in range(SNIFF_LINES):
                line = file.readline(SNIFF_SIZE)
                if not line:
                    break
                found, is_final = sniff(line)
                verdict = verdict or found
                if is_final:
                    return found
    except OSError:
        return False
    return bool(verdict)


def sniff(line: bytes) -> tuple[bool, bool]:
    """Whether this is a line of Claude Code's, and whether no further line needs to be seen."""
    try:
        head = msgspec.json.decode(line.removeprefix(b"\xef\xbb\xbf"), type=Sniffed)
        kind = msgspec.json.decode(head.type, type=str)
        if bytes(head.payload):
            return False, True
        if kind in CONVERSATION:
            message = msgspec.json.decode(head.message, type=SniffedMessage)
            return bool(bytes(message.content)) and not bytes(message.parts), True
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return False, False
    return kind in OTHER_LINES and bool(bytes(head.session_id) or bytes(head.leaf_uuid)), False


def registries(root: Path) -> list[Path]:
    """The folders of running processes that belong to `root`."""
    homes = [root, root / ".claude", root / ".config" / "claude"]
    if root.name == "projects":
        homes.append(root.parent)
    return [
        home / "sessions"
        for home in homes
        if (home / "sessions").is_dir() and (home / "projects").is_dir()
    ]
