"""Where Copilot CLI's sessions lie, and what the small files beside them tell."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sessions_app.agents.base import SourceFile, UnreadableSession
from sessions_app.agents.folders import Folder
from sessions_app.agents.lines import BOM, when
from sessions_app.agents.processes import is_running
from sessions_app.records import TITLE_CUSTOM, TITLE_RECORD, Problem, SessionRecord

HOME, STORE, EVENTS, WORKSPACE = ".copilot", "session-state", "events.jsonl", "workspace.yaml"
FACT = re.compile(r"(\w+):[ \t]+(.*\S)")
IN_USE = re.compile(r"inuse\.(\d{1,10})\.lock")
SMALL = 64 * 1024
SNIFF_SIZE = 64 * 1024


def home_of(home: Path) -> Path:
    """$COPILOT_HOME stands for our own home only."""
    told = os.environ.get("COPILOT_HOME")
    return Path(told).expanduser() if told and home == Path.home() else home / HOME


def sources(folder: Folder, root: Path) -> Iterator[SourceFile]:
    """The session of a folder, or the bare files that older versions kept for theirs."""
    for path in (folder.path / name for name in folder.files if name.endswith(".jsonl")):
        if own_name(path) or looks_right(path):
            has_facts = path.name == EVENTS and WORKSPACE in folder.files
            companions = (folder.path / WORKSPACE,) if has_facts else ()
            yield SourceFile(path, root=root, companions=companions)


def own_name(path: Path) -> str:
    """The session's id, where the place of its file tells it."""
    if path.name == EVENTS and path.parent.parent.name == STORE:
        return path.parent.name
    return path.stem if path.parent.name == STORE and path.suffix == ".jsonl" else ""


class Sniffed(msgspec.Struct):
    """What only the first event of Copilot CLI has."""

    type: str = ""
    data: dict[str, msgspec.Raw] = {}


def looks_right(path: Path) -> bool:
    """The first line decides."""
    try:
        with path.open("rb") as file:
            first = msgspec.json.decode(file.readline(SNIFF_SIZE).removeprefix(BOM), type=Sniffed)
    except (OSError, msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return False
    return first.type == "session.start" and "copilotVersion" in first.data


def add_facts(source: SourceFile, record: SessionRecord) -> None:
    """Title, folder and beginning, from the session's small file."""
    for path in source.companions:
        told = _facts(source, path, record)
        record.title = told.get("name") or told.get("summary", "")
        is_own = told.get("user_named") == "true"
        if record.title:
            record.title_rank = TITLE_CUSTOM if is_own else TITLE_RECORD
        record.work_dir = record.work_dir or told.get("cwd", "")
        if begun := when(told.get("created_at")):
            record.created_at = min(record.created_at or begun, begun)


def _facts(source: SourceFile, path: Path, record: SessionRecord) -> dict[str, str]:
    """The plain `name: value` lines of a YAML file; what spans lines is not needed."""
    try:
        text = source.content(path, limit=SMALL).decode("utf-8", "replace")
    except UnreadableSession as error:
        record.problems.append(Problem(str(path), f"facts of the session: {error}"[:300]))
        return {}
    lines = (FACT.fullmatch(line) for line in text.splitlines())
    return {line[1]: _plain(line[2]) for line in lines if line and line[2][0] not in "|>"}


def _plain(value: str) -> str:
    """A YAML scalar of one line."""
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1].replace("''", "'")
    if value.startswith('"'):
        with contextlib.suppress(ValueError):
            return str(json.loads(value))
    return value


def processes(root: Path) -> dict[str, bool]:
    """session -> whether a process works on it, from the marks that a killed one leaves behind."""
    alive: dict[str, bool] = {}
    for path in root.glob("*/inuse.*.lock"):
        mark = IN_USE.fullmatch(path.name)
        with contextlib.suppress(OSError):
            if mark and not path.is_symlink():
                noted = path.stat().st_mtime_ns // 1_000_000
                runs = is_running(int(mark[1]), None, noted)
                alive[path.parent.name] = alive.get(path.parent.name, False) or runs
    return alive
