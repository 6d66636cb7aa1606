"""Lines of a Claude Code log, made by hand for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sessions_app.agents.base import SourceFile
from sessions_app.agents.claude_code import ClaudeCode
from sessions_app.records import Position, SessionRecord
from tests.agents.fold import fold

SESSION = "11111111-2222-4333-8444-555555555555"


def user(content: Any, uuid: str = "u1", **more: Any) -> dict[str, Any]:
    return {"type": "user", "uuid": uuid, "message": {"role": "user", "content": content}} | more


def assistant(content: Any, message_id: str = "m1", **more: Any) -> dict[str, Any]:
    blocks = [text(content)] if isinstance(content, str) else content
    message = {"id": message_id, "role": "assistant", "model": "claude-test", "content": blocks}
    for name in ("usage", "stop_reason", "model"):
        if name in more:
            message[name] = more.pop(name)
    return {"type": "assistant", "uuid": f"a-{message_id}", "message": message} | more


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def call(call_id: str = "t1", name: str = "Bash", **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": given}


def result(content: Any, call_id: str = "t1", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content} | more


def log(folder: Path, *lines: dict[str, Any] | bytes, name: str = SESSION) -> Path:
    """A file of these lines; bytes are written as they are."""
    path = folder / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"".join(line + b"\n" for line in raw))
    return path


def read(path: Path, after: Position | None = None) -> list[SessionRecord]:
    """The parts of one log, with the small file beside it when there is one."""
    (source,) = ClaudeCode().session_files(path)
    return list(ClaudeCode().read(source, after))


def session(folder: Path, *lines: dict[str, Any] | bytes) -> SessionRecord:
    """The session that these lines make."""
    path = log(folder, *lines)
    (record,) = fold(ClaudeCode().read(SourceFile(path, root=folder), None)).values()
    return record
