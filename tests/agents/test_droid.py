"""Factory Droid, as far as samples of others tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sessions_app.agents.base import UnreadableSession
from sessions_app.agents.droid import Droid
from sessions_app.records import SessionFacts, SessionRecord
from tests.agents.fold import fold

AGENT = Droid()
START = {"type": "session_start", "id": "s1", "title": "Mend it", "cwd": "/shop"}


def said(role: str, *blocks: dict[str, Any] | str) -> dict[str, Any]:
    content = [{"type": "text", "text": part} if isinstance(part, str) else part for part in blocks]
    return {"type": "message", "message": {"role": role, "content": content}}


CALL = {"type": "tool_use", "id": "t1", "name": "Execute", "input": {"command": "ls"}}


def log(home: Path, *lines: dict[str, Any]) -> Path:
    path = home / ".factory" / "sessions" / "-shop" / "s1.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def read(root: Path) -> dict[str, SessionRecord]:
    return fold(part for one in AGENT.session_files(root) for part in AGENT.read(one, None))


def test_reminders_are_told_from_prompts(tmp_path: Path) -> None:
    log(tmp_path, START, said("user", "<system-reminder>x"), said("user", "go"))
    found = read(tmp_path)["s1"]
    assert [message.kind for message in found.messages] == ["injected", "prompt"]
    assert (found.prompt, found.title, found.work_dir) == ("go", "Mend it", "/shop")


@pytest.mark.parametrize(
    ("block", "is_error", "code"),
    [
        ({"content": "fine"}, False, None),
        ({"content": "Error: Command failed (exit code: 2)\nx"}, True, 2),
        ({"content": "no", "is_error": True}, True, None),
    ],
)
def test_results_say_how_the_tool_fared(
    block: dict[str, Any], is_error: bool, code: int | None, tmp_path: Path
) -> None:
    answer = {"type": "tool_result", "tool_use_id": "t1", **block}
    log(tmp_path, START, said("user", "go"), said("assistant", CALL), said("user", answer))
    found = read(tmp_path)["s1"]
    assert [(one.is_error, one.exit_code) for one in found.results] == [(is_error, code)]
    assert [message.kind for message in found.messages] == ["prompt", "answer"]


def test_the_sum_of_the_session_stands_beside_it(tmp_path: Path) -> None:
    path = log(tmp_path, START, said("user", "go"))
    sums = {"inputTokens": 10, "outputTokens": 5, "cacheCreationTokens": 3, "cacheReadTokens": 7,
            "thinkingTokens": 2}  # fmt: skip
    told = path.with_name("s1.settings.json")
    told.write_text(json.dumps({"model": "opus", "tokenUsage": sums}))
    [usage] = read(tmp_path)["s1"].usages
    assert (usage.input, usage.output, usage.cache_write, usage.cache_read, usage.reasoning) == (
        10, 5, 3, 7, 2,
    )  # fmt: skip
    assert (usage.summary, usage.model) == (True, "opus")
    told.write_text("{torn")
    assert len(read(tmp_path)["s1"].problems) == 1


def test_only_logs_of_droid_are_taken(tmp_path: Path) -> None:
    log(tmp_path, START, said("user", "go"))
    for name, line in (
        ("sessions/other.jsonl", {"type": "user", "id": "x"}),
        ("sessions/torn.jsonl", "{"),
        ("auth.jsonl", START),
    ):
        (tmp_path / ".factory" / name).write_text(json.dumps(line) + "\n")
    for root in (tmp_path, tmp_path / ".factory", log(tmp_path, START, said("user", "go"))):
        assert list(read(root)) == ["s1"]


def test_a_session_without_words_waits(tmp_path: Path) -> None:
    path = log(tmp_path, START)
    assert read(tmp_path) == {}
    path.write_text(json.dumps(START) + "\n{torn\n")
    with pytest.raises(UnreadableSession, match="line 2"):
        read(tmp_path)


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "tool_result", "value": 3, "session_id": "s1"},
        {"type": "message", "message": {"role": 4, "content": 5}},
        {"type": "message", "message": "x"},
        {"type": "tool_call"},
    ],
)
def test_odd_shapes_cost_only_themselves(odd: dict[str, Any], tmp_path: Path) -> None:
    log(tmp_path, START, odd, said("user", "go"))
    assert read(tmp_path)["s1"].prompt == "go"


def test_resume_commands_are_safe_to_paste() -> None:
    facts = SessionFacts("droid", "s1", "/a b")
    assert AGENT.resume_command(facts, None) == "cd '/a b' && droid --resume s1"
    assert AGENT.resume_command(SessionFacts("droid", "--x", "/"), None) is None
