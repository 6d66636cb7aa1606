"""Lines of Gemini CLI and Qwen Code, made by hand for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sessions_app.agents.base import SourceFile
from sessions_app.agents.gemini import Gemini
from sessions_app.agents.qwen import Qwen
from sessions_app.records import SessionRecord
from tests.agents.fold import fold

SESSION = "5e55104e-0000-4000-8000-000000000001"
Lines = list[dict[str, Any]]


def at(second: int) -> str:
    return f"2026-03-01T10:{second // 60:02}:{second % 60:02}.000Z"


def meta(**more: Any) -> dict[str, Any]:
    """The first line of a Gemini log."""
    return {"sessionId": SESSION, "projectHash": "0" * 64, "startTime": at(0), **more}


def user(name: str, content: Any, second: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": name, "timestamp": at(second), "type": "user", "content": content, **more}


def gemini(name: str, content: Any = "", second: int = 2, **more: Any) -> dict[str, Any]:
    plain = {"id": name, "timestamp": at(second), "type": "gemini", "content": content}
    return {**plain, "model": "gemini-test", **more}


def tokens(*numbers: Any) -> dict[str, Any]:
    """Input, cached, output, thoughts, tool: as many as are given."""
    names = ("input", "cached", "output", "thoughts", "tool")
    return dict(zip(names, numbers, strict=False))


def answered(call_id: str, output: Any) -> dict[str, Any]:
    response = output if isinstance(output, dict) else {"output": output}
    return {"functionResponse": {"id": call_id, "name": "shell", "response": response}}


def called(call_id: str, output: Any = None, status: str = "success", **more: Any) -> Any:
    """An entry of `toolCalls`."""
    result = [] if output is None else [answered(call_id, output)]
    call = {"id": call_id, "name": "shell", "args": {"command": "ls"}, "status": status}
    return {**call, "result": result, "timestamp": at(3), **more}


def checkpoint(*messages: dict[str, Any]) -> dict[str, Any]:
    """What a resume writes: the history, without half of its fields."""
    kept = ("id", "type", "content", "timestamp")
    return {"$set": {"messages": [{name: m[name] for name in kept} for m in messages]}}


def chat(name: str, kind: str, *parts: Any, **more: Any) -> dict[str, Any]:
    """A line of Qwen Code."""
    plain = {"uuid": name, "sessionId": SESSION, "timestamp": at(1), "type": kind, "cwd": "/shop"}
    return {**plain, "message": {"parts": list(parts)}, **more}


def noted(subtype: str, **payload: Any) -> dict[str, Any]:
    return chat(f"s-{subtype}", "system", subtype=subtype, systemPayload=payload)


def write(path: Path, *lines: dict[str, Any] | bytes) -> Path:
    """A log, or a document when there is but one thing to say in a `.json`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join(data) + (b"\n" if path.suffix == ".jsonl" else b""))
    return path


def read(agent: Gemini | Qwen, path: Path, *lines: dict[str, Any] | bytes) -> SessionRecord:
    """The one session that these lines make."""
    source = SourceFile(write(path, *lines), root=path.parent)
    [record] = fold(agent.read(source, None)).values()
    return record


def texts(record: SessionRecord) -> list[str]:
    return ["".join(block.text for block in message.blocks) for message in record.messages]


def keys(record: SessionRecord) -> list[str]:
    """Message keys without the session in front."""
    return [message.key.rpartition("/")[2] for message in record.messages]
