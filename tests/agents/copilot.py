"""Events of Copilot CLI, made by hand for tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

NAME = "11111111-2222-4333-8444-555555555555"
START = datetime(2026, 5, 1, 12, tzinfo=UTC)
seconds: Iterator[int] = count()


def event(kind: str, /, agent: str = "", **data: Any) -> dict[str, Any]:
    """A line a second after the one before, of the main agent or of a sub-agent."""
    number = next(seconds)
    at = (START + timedelta(seconds=number)).isoformat().replace("+00:00", "Z")
    line = {"type": kind, "data": data, "id": f"event-{number}", "timestamp": at}
    return line | ({"agentId": agent} if agent else {})


def started() -> dict[str, Any]:
    context = {"cwd": "/shop", "branch": "main", "repository": "we/shop", "hostType": "github"}
    return event("session.start", sessionId=NAME, copilotVersion="1.0", context=context)


def answer(text: str, *calls: str, response: str = "", agent: str = "") -> dict[str, Any]:
    asked = [{"toolCallId": call, "name": "bash", "arguments": {"c": call}} for call in calls]
    told = {"apiCallId": response} if response else {}
    return event("assistant.message", agent, content=text, toolRequests=asked, **told)


def usage(response: str, *numbers: int, agent: str = "") -> dict[str, Any]:
    return event("session.usage_record", agent, usage={"apiCallId": response} | counts(*numbers))


def counts(*numbers: int) -> dict[str, int]:
    """Input with cache, output, cache read, cache written, reasoning."""
    names = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens",
             "reasoningTokens")  # fmt: skip
    return dict(zip(names, numbers, strict=False))


def shutdown(kind: str = "routine", /, **models: tuple[int, ...]) -> dict[str, Any]:
    metrics = {name: {"usage": counts(*numbers)} for name, numbers in models.items()}
    return event("session.shutdown", shutdownType=kind, modelMetrics=metrics)


def write(path: Path, *lines: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def log(home: Path, *lines: dict[str, Any], name: str = NAME) -> Path:
    """A session in its place below a home."""
    return write(home / ".copilot" / "session-state" / name / "events.jsonl", *lines)
