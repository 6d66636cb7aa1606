"""Lines of a Codex rollout, made by hand for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sessions_app.agents.base import SourceFile
from sessions_app.agents.codex import Codex
from sessions_app.records import SessionRecord
from tests.agents.fold import fold

THREAD = "0199f000-1111-7000-8000-000000000000"
Lines = list[dict[str, Any]]


def line(kind: str, /, **payload: Any) -> dict[str, Any]:
    return {"timestamp": "2026-03-01T10:00:00.000Z", "type": kind, "payload": payload}


def meta(thread: str = THREAD, **more: Any) -> dict[str, Any]:
    return line("session_meta", id=thread, cwd="/home/dev/shop", **more)


def context(**more: Any) -> dict[str, Any]:
    return line("turn_context", **{"model": "gpt-test", **more})


def item(kind: str, /, **more: Any) -> dict[str, Any]:
    return line("response_item", type=kind, **more)


def event(kind: str, /, **more: Any) -> dict[str, Any]:
    return line("event_msg", type=kind, **more)


def user(*texts: str, **more: Any) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text} for text in texts]
    return item("message", role="user", content=content, **more)


def assistant(text: str, **more: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text}]
    return item("message", role="assistant", content=content, **more)


def call(call_id: str = "c1", **more: Any) -> dict[str, Any]:
    return item("function_call", name="shell", call_id=call_id, arguments="{}", **more)


def output(value: Any, call_id: str = "c1") -> dict[str, Any]:
    return item("function_call_output", call_id=call_id, output=value)


def tokens(*numbers: Any) -> dict[str, Any]:
    """Input, cached, output, reasoning, cache write: as many as are given."""
    names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens",
             "cache_write_input_tokens")  # fmt: skip
    return dict(zip(names, numbers, strict=False))


def count(total: Any, last: Any) -> dict[str, Any]:
    return event("token_count", info={"total_token_usage": total, "last_token_usage": last})


def usage(response: str, numbers: Any, turn: str = "t1") -> dict[str, Any]:
    return line("token_usage_record", response_id=response, turn_id=turn, usage=numbers)


def rollout(folder: Path, *lines: dict[str, Any] | bytes, name: str = f"rollout-{THREAD}") -> Path:
    """A file of these lines; bytes are written as they are."""
    path = folder / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = [item if isinstance(item, bytes) else json.dumps(item).encode() for item in lines]
    path.write_bytes(b"".join(data + b"\n" for data in raw))
    return path


def session(folder: Path, *lines: dict[str, Any] | bytes) -> SessionRecord:
    """The session that these lines make, behind a session_meta."""
    path = rollout(folder, meta(), *lines)
    (record,) = fold(Codex().read(SourceFile(path, root=folder), None)).values()
    return record
