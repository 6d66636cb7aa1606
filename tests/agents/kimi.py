"""Lines of Kimi CLI's and Kimi Code's wires, made by hand for tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from sessions_app.agents.base import Agent
from sessions_app.records import SessionRecord
from tests.agents.fold import fold

SESSION = "11111111-2222-4333-8444-555555555555"
START = 1795253237
Lines = list[dict[str, Any]]
seconds: Iterator[int] = count()


def event(kind: str, /, **payload: Any) -> dict[str, Any]:
    """A line of Kimi CLI's wire, a second after the one before."""
    at = START + next(seconds) + 0.25
    return {"timestamp": at, "message": {"type": kind, "payload": payload}}


def status(message_id: str | None, *numbers: Any) -> dict[str, Any]:
    """Input, output, cache read, cache written."""
    names = ("input_other", "output", "input_cache_read", "input_cache_creation")
    return event(
        "StatusUpdate", message_id=message_id, token_usage=dict(zip(names, numbers, strict=False))
    )


def record(kind: str, /, **fields: Any) -> dict[str, Any]:
    """A line of Kimi Code's wire, a second after the one before."""
    return {"type": kind, "time": (START + next(seconds)) * 1000, **fields}


def loop(kind: str, /, **fields: Any) -> dict[str, Any]:
    return record("context.append_loop_event", event={"type": kind, **fields})


def append(role: str, text: str, **fields: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": text}]
    return record("context.append_message", message={"role": role, "content": content, **fields})


def tokens(*numbers: Any) -> dict[str, Any]:
    """Input, output, cache read, cache written."""
    names = ("inputOther", "output", "inputCacheRead", "inputCacheCreation")
    return dict(zip(names, numbers, strict=False))


def write(path: Path, *lines: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def read(agent: Agent, root: Path) -> dict[str, SessionRecord]:
    """Every session below `root`."""
    return fold(part for source in agent.session_files(root) for part in agent.read(source, None))
