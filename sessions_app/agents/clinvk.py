"""clinvk: its small record of a session that Claude, Codex or Gemini ran."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sessions_app import border
from sessions_app.agents import shell
from sessions_app.agents.base import SourceFile, UnreadableSession
from sessions_app.agents.folders import Folder, walk
from sessions_app.agents.lines import BOM, parse, when
from sessions_app.records import (
    TITLE_RECORD,
    Position,
    RelationRecord,
    SessionFacts,
    SessionRecord,
    UsageRecord,
)

OWN_ID = re.compile(r"[0-9a-f]{16}(?:[0-9a-f]{16})?")
SNIFF_SIZE = 16 * 1024
STATUSES = ("created", "active", "paused", "completed", "error", "expired")
COMMANDS = {
    "claude": ("claude", "--resume"),
    "codex": ("codex", "resume"),
    "gemini": ("gemini", "--resume"),
}


class Clinvk:
    """Reads `~/.clinvk/sessions/<id>.json`: one document a session, replaced as a whole.

    Its records join the sessions that the backends' own files tell in full.
    """

    name = "clinvk"
    label = "clinvk"
    backends: tuple[str, ...] = tuple(COMMANDS)
    version = 1

    def homes(self, home: Path) -> list[Path]:
        """`~/.clinvk/sessions`."""
        return [home / ".clinvk" / "sessions"]

    def session_files(self, root: Path) -> Iterator[SourceFile]:
        """Documents in and below `root`; outside of a `.clinvk` only what looks like one."""
        if root.is_file():
            if _is_candidate(root.name) and (_is_home(root.parent) or _looks_right(root)):
                yield SourceFile(root, root=root.parent)
            return
        for folder in walk(root):
            yield from (SourceFile(path, root=root) for path in _documents(folder))

    def read(self, source: SourceFile, after: Position | None) -> Iterator[SessionRecord]:
        """The document as a whole, whatever was read before: it is replaced, never continued."""
        documents = _documents_in(source.content())
        source.end = Position(version=self.version)
        for document in documents:
            yield _record(document, source.path.stem)

    def live_sessions(self, root: Path) -> dict[str, bool]:
        """clinvk keeps no list of running processes."""
        return {}

    def resume_command(self, session: SessionFacts, prompt: str | None) -> str | None:
        """The backend's own command: it also finds sessions that clinvk has deleted since."""
        words = COMMANDS.get(session.backend)
        if words is None or session.kind == "subagent":
            return None
        if not shell.is_safe_word(session.backend_session_id):
            return None
        return shell.in_folder(session.work_dir, [*words, session.backend_session_id], prompt)


def _is_home(folder: Path) -> bool:
    return folder.name == "sessions" and folder.parent.name == ".clinvk"


def _is_candidate(name: str) -> bool:
    """Neither the index (it goes stale), nor a lock, nor the left-over of an atomic write."""
    return name.endswith(".json") and name != "index.json" and not name.startswith((".", "store"))


def _documents(folder: Folder) -> list[Path]:
    paths = [folder.path / name for name in folder.files if _is_candidate(name)]
    if _is_home(folder.path):
        folder.folders.clear()  # artifacts
        return paths
    alike = {path for path in paths if _looks_right(path)}
    return [path for path in paths if path in alike or (alike and OWN_ID.fullmatch(path.stem))]


def _looks_right(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(SNIFF_SIZE)
    except OSError:
        return False
    return b'"backend"' in head and b'"last_used' in head


def _documents_in(data: bytes) -> list[dict[str, Any]]:
    """The document, or the documents of a list of them (a backup made by hand)."""
    if not data.strip():
        raise UnreadableSession("The file is empty.")
    try:
        value = parse(data.removeprefix(BOM))
    except (ValueError, RecursionError) as error:
        raise UnreadableSession(f"Not a JSON document: {error}") from error
    documents = value if isinstance(value, list) else [value]
    if not documents or not all(isinstance(item, dict) for item in documents):
        raise UnreadableSession("Not the record of a session: it is no JSON object.")
    if not all(_text(item, "backend") or _text(item, "id") for item in documents):
        raise UnreadableSession("Not the record of a session: it has neither id nor backend.")
    return documents


def _record(document: dict[str, Any], name: str) -> SessionRecord:
    own_id = _text(document, "id") or name
    native = _text(document, "backend_session_id")
    title = _text(document, "title")
    status = _text(document, "status").lower()
    details = document.get("metadata")
    details = dict(details) if isinstance(details, dict) else {}
    record = SessionRecord(
        agent=Clinvk.name,
        backend=_text(document, "backend").lower() or Clinvk.name,
        identity=native or f"clinvk:{own_id}",
        backend_session_id=native,
        joins=True,
        alias=f"clinvk:{own_id}",
        title=title,
        title_rank=TITLE_RECORD if title else 0,
        prompt=_text(document, "initial_prompt", "prompt"),
        model=_text(document, "model"),
        work_dir=_text(document, "working_dir", "workdir"),
        tags=_texts(document.get("tags")),
        created_at=when(document.get("created_at")),
        last_active=_last_used(document),
        status=status if status in STATUSES else "",
        error=_text(document, "error_message", "error"),
        exit_code=_whole(details.pop("exit_code", None)),
        duration_seconds=_seconds(details.pop("duration_seconds", None)),
        relations=_relations(document, own_id),
        usages=_usages(document, own_id),
    )
    record.metadata = {**details, "clinvk_id": own_id, **_facts(document, record.status)}
    return record


def _facts(document: dict[str, Any], status: str) -> dict[str, Any]:
    """What has no field of its own."""
    facts: dict[str, Any] = {}
    if not status and document.get("status") is not None:
        facts["stated_status"] = document["status"]
    for name in ("turn_count", "parent_id"):
        if document.get(name) not in (None, ""):
            facts[name] = document[name]
    tokens = document.get("token_usage")
    if isinstance(tokens, dict) and (cached := _count(tokens, "cached_tokens", "cached")):
        facts["cached_tokens"] = cached
    return facts


def _relations(document: dict[str, Any], own_id: str) -> list[RelationRecord]:
    parent = _text(document, "parent_id")
    return [RelationRecord("fork", f"clinvk:{parent}")] if parent and parent != own_id else []


def _usages(document: dict[str, Any], own_id: str) -> list[UsageRecord]:
    """The running sum, in the backend's own way of counting; cached tokens are not added."""
    tokens = document.get("token_usage")
    if not isinstance(tokens, dict) or not tokens:
        return []
    usage = UsageRecord(
        key=f"clinvk:{own_id}",
        model=_text(document, "model"),
        at=_last_used(document),
        input=_count(tokens, "input_tokens", "input"),
        output=_count(tokens, "output_tokens", "output"),
        reasoning=_count(tokens, "reasoning_tokens", "reasoning"),
        summary=True,
        flagged=not all(map(border.is_count, tokens.values())),
    )
    usage.reasoning = min(usage.reasoning, usage.output)
    return [usage]


def _last_used(document: dict[str, Any]) -> datetime | None:
    return when(document.get("last_used")) or when(document.get("last_used_at"))


def _text(document: dict[str, Any], *names: str) -> str:
    values = (document.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value), "")


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _count(tokens: dict[str, Any], *names: str) -> int:
    return next((border.clean_count(tokens[name]) for name in names if name in tokens), 0)


def _whole(value: object) -> int | None:
    """An exit code: the code writes text, the documentation shows a number."""
    seconds = _seconds(value)
    return int(seconds) if seconds is not None and seconds.is_integer() else None


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if -1e15 < number < 1e15 else None
