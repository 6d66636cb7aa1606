"""Invented Claude Code logs that fork, grow and are rewritten."""

from __future__ import annotations

import json
import os
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 1, 5, 8, tzinfo=UTC)


class Talk:
    """One log: lines with ids of their own, ten seconds apart."""

    def __init__(self, name: str, *, begins: int = 0) -> None:
        self.name = f"{name}-0000-4000-8000-000000000000"
        self.lines: list[dict[str, Any]] = []
        self.now = START + timedelta(minutes=begins)

    def _line(self, kind: str, message: dict[str, Any], **more: Any) -> None:
        self.now += timedelta(seconds=10)
        number = len(self.lines)
        self.lines.append({
            "type": kind, "uuid": f"{self.name}-{number:04}", "sessionId": self.name,
            "timestamp": self.now.isoformat(), "cwd": "/home/dev/shop", "message": message, **more,
        })  # fmt: skip

    def turns(self, count: int = 1, **more: Any) -> Talk:
        """Prompts, each with an answer of 10 tokens in and 5 out."""
        for _ in range(count):
            number = len(self.lines)
            self._line(
                "user", {"role": "user", "content": f"Question {self.name} {number}"}, **more
            )
            self._answer([{"type": "text", "text": f"Answer {number}"}], "end_turn", **more)
        return self

    def calls(self, call_id: str, **more: Any) -> Talk:
        """An answer that calls a tool, and its result."""
        block = {"type": "tool_use", "id": call_id, "name": "Task", "input": {}}
        self._answer([block], "tool_use", **more)
        result = {"type": "tool_result", "tool_use_id": call_id, "content": "done"}
        self._line("user", {"role": "user", "content": [result]}, **more)
        return self

    def _answer(self, blocks: list[dict[str, Any]], stop: str, **more: Any) -> None:
        message = {
            "id": f"msg_{self.name}_{len(self.lines)}", "role": "assistant", "content": blocks,
            "model": "claude-sonnet-4-5", "stop_reason": stop,
            "usage": {"input_tokens": 10, "output_tokens": 5},
        }  # fmt: skip
        self._line("assistant", message, **more)

    def fork(self, name: str, *, at: int, begins: int) -> Talk:
        """Its first `at` lines under another name, as `--fork-session` copies them."""
        copy = Talk(name, begins=begins)
        copy.lines = [deepcopy(line) | {"sessionId": copy.name} for line in self.lines[:at]]
        return copy

    def data(self, upto: int | None = None) -> bytes:
        """The first lines as bytes."""
        return b"".join(json.dumps(line).encode() + b"\n" for line in self.lines[:upto])

    def write(
        self, home: Path, upto: int | None = None, *, mtime: int = 1_780_000_000, inside: str = ""
    ) -> Path:
        """The log in its place below a home; `inside`: a folder of the session `inside`."""
        folder = home / ".claude" / "projects" / "-home-dev-shop"
        path = folder / inside / f"{self.name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.data(upto))
        os.utime(path, (mtime, mtime))
        return path


def subagent(parent: Talk, name: str, call_id: str) -> Talk:
    """A sub-agent's log; write it with `write_subagent`."""
    talk = Talk("agent")
    talk.name = f"agent-{name}"
    talk.turns(1, isSidechain=True)
    for line in talk.lines:
        line["sessionId"] = parent.name
    talk.now = parent.now
    return talk


def write_subagent(parent: Talk, talk: Talk, home: Path, call_id: str, **more: Any) -> Path:
    """The log below its parent's folder, with the small file of facts beside it."""
    path = talk.write(home, inside=f"{parent.name}/subagents", **more)
    facts = {"agentType": "explore", "description": "Look", "toolUseId": call_id}
    path.with_suffix(".meta.json").write_text(json.dumps(facts))
    return path
