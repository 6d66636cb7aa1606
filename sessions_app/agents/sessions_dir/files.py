"""The small files of a session folder: which of them there are, and what they hold."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from sessions_app.agents.base import SourceFile, UnreadableSession
from sessions_app.agents.folders import Folder, walk
from sessions_app.agents.lines import BOM, parse, when
from sessions_app.records import ArtifactRecord, Problem, SnapshotRecord

MESSAGES, METADATA, LOCK = "messages.jsonl", "metadata.json", ".lock"
SNAPSHOTS, ARTIFACTS = "snapshots", "artifacts"
# What lies in a session folder of the real Kimi CLI, which shares the root with ours.
OTHERS = frozenset(("context.jsonl", "wire.jsonl", "state.json"))
STEP_FILE = re.compile(r"step_(\d{1,18})\.json", re.ASCII)
SNIFF_SIZE = 16 * 1024
MOST_FILES = 20_000  # a folder with more artifacts than this is no session's any more

# Size and time of each snapshot and artifact that was read, by its path in the folder.
Seen = dict[str, tuple[int, int]]


def is_home(folder: Path) -> bool:
    """Whether `folder` is the `sessions` of a `.kimi`: there every folder is a session."""
    return folder.name == "sessions" and folder.parent.name == ".kimi"


def is_session(folder: Folder) -> bool:
    """Whether this is a session folder; outside of a home a lone file must look like one."""
    names = set(folder.files)
    if not OTHERS.isdisjoint(names):
        return False
    found = names & {MESSAGES, METADATA}
    if len(found) == 2 or (found and is_home(folder.path.parent)):
        return True
    return any(_looks_right(folder.path / name) for name in found)


def _looks_right(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(SNIFF_SIZE)
    except OSError:
        return False
    if path.name == MESSAGES:
        first = head.partition(b"\n")[0]
        return b'"role"' in first and b'"content"' in first and b'"timestamp"' in first
    return b'"created_at"' in head and (b'"last_active"' in head or b'"total_steps"' in head)


def source_file(folder: Folder, root: Path) -> SourceFile:
    """The messages (without any: the metadata) with the files that belong to them."""
    names = [name for name in (MESSAGES, METADATA) if name in folder.files]
    found = files_below(folder.path, [])
    companions = [folder.path / name for name in names[1:]]
    companions += [path for path, _ in found if printable(path) == str(path)]
    return SourceFile(folder.path / names[0], root=root, companions=tuple(companions))


def files_below(folder: Path, problems: list[Problem]) -> list[tuple[Path, os.stat_result]]:
    """Snapshots and artifacts; what is no plain file inside the folder becomes a problem."""
    found: list[tuple[Path, os.stat_result]] = []
    top = Folder(folder)
    links = {SNAPSHOTS, ARTIFACTS, MESSAGES, METADATA}.intersection(top.others)
    problems += [_refused(folder / name) for name in sorted(links)]
    for name, depth in ((SNAPSHOTS, 0), (ARTIFACTS, None)):
        if name not in top.folders:
            continue
        for inner in walk(folder / name, depth):
            problems += [_refused(inner.path / other) for other in inner.others]
            for file in inner.files:
                with contextlib.suppress(OSError):  # gone since it was listed
                    found.append((inner.path / file, (inner.path / file).lstat()))
            if len(found) > MOST_FILES:
                problems.append(Problem(str(folder), f"more than {MOST_FILES} files"))
                return found[:MOST_FILES]
    return found


def _refused(path: Path) -> Problem:
    kind = "a symbolic link" if path.is_symlink() else "not a plain file"
    return Problem(printable(path), f"{kind}: refused")


def printable(path: Path | str) -> str:
    """A path that can be stored: bytes of a name that are no UTF-8 are replaced."""
    return os.fsencode(path).decode("utf-8", "replace")


def snapshot(source: SourceFile, path: Path, problems: list[Problem]) -> SnapshotRecord | None:
    """The state at the step that the file's name tells; a torn one is named, not read."""
    step = STEP_FILE.fullmatch(path.name)
    if step is None:
        problems.append(Problem(printable(path), "no snapshot: its name is not step_<number>.json"))
        return None
    record = SnapshotRecord(int(step[1]))
    try:
        value = document(source.content(path))
        record.at, record.state = local_time(value.get("timestamp")), value["state"]
    except UnreadableSession as error:
        record.problem = str(error)
    except KeyError:
        record.problem = "no state in it"
    if record.problem:
        problems.append(Problem(str(path), record.problem))
    return record


def artifact(
    path: Path, folder: Path, stat: os.stat_result, problems: list[Problem]
) -> ArtifactRecord | None:
    """The file as it lies there; it is copied, never parsed."""
    name = path.relative_to(folder / ARTIFACTS).as_posix()
    if printable(name) != name:
        problems.append(Problem(printable(path), "its name is not UTF-8: rename it"))
        return None
    return ArtifactRecord(name, str(path.absolute()), stat.st_size)


def document(data: bytes) -> dict[str, Any]:
    """A whole JSON object, or a sentence why there is none."""
    if not data.strip():
        raise UnreadableSession("empty file")
    try:
        value = parse(data.removeprefix(BOM))
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise UnreadableSession(f"torn or not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UnreadableSession(f"not an object but {type(value).__name__}")
    return value


def local_time(value: object) -> datetime | None:
    """A time of this layout: without a zone it is the local one, which the settings decide.

    The format writes naive local times and never says of which zone; a session that comes
    from a machine in another zone is therefore off by the difference.
    """
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError, OSError):
            return None
    return when(value)


def locked_sessions(folders: Iterator[Folder]) -> Iterator[str]:
    """Names of the session folders whose lock somebody holds at this moment."""
    for folder in folders:
        if LOCK in folder.files and _is_held(folder.path / LOCK):
            yield folder.path.name


def _is_held(lock: Path) -> bool:
    """Try a shared lock for an instant; writers wait for theirs longer than that."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
