"""Cursor CLI, as far as samples of others tell: messages without ids, times or tokens."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sessions_app.agents.base import SourceFile, UnreadableSession
from sessions_app.agents.cursor import Cursor
from sessions_app.records import SessionFacts, SessionRecord
from tests.agents.fold import fold

AGENT = Cursor()


def said(role: str, *parts: dict[str, Any] | str) -> dict[str, Any]:
    content = [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts]
    return {"role": role, "message": {"content": content}}


CALL = {"type": "tool_use", "name": "Bash", "input": {"command": "ls"}}
RESULT = {"type": "tool-result", "name": "Bash", "content": [{"type": "text", "text": "a.txt"}]}


def log(home: Path, *lines: dict[str, Any], name: str = "s1", below: str = "s1") -> Path:
    path = home / ".cursor" / "projects" / "x" / "agent-transcripts" / below / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    os.utime(path, (1_780_000_000, 1_780_000_000))
    return path


def session(tmp_path: Path, *lines: dict[str, Any]) -> SessionRecord:
    source = SourceFile(log(tmp_path, *lines), root=tmp_path)
    return fold(AGENT.read(source, None))["s1"]


def test_results_find_the_oldest_call_of_their_name(tmp_path: Path) -> None:
    found = session(
        tmp_path, said("user", "go"), said("assistant", CALL, CALL), said("user", RESULT),
        said("user", RESULT),
    )  # fmt: skip
    calls = [block.call_id for block in found.messages[1].blocks]
    assert [result.call_id for result in found.results] == calls
    assert [message.kind for message in found.messages] == ["prompt", "answer"]


def test_what_the_program_wraps_around_a_prompt_is_taken_off(tmp_path: Path) -> None:
    found = session(tmp_path, said("user", "<user_query>\nmend it\n</user_query>"))
    assert (found.prompt, found.messages[0].blocks[0].text) == ("mend it", "mend it")


def test_the_session_is_as_young_as_its_file(tmp_path: Path) -> None:
    assert session(tmp_path, said("user", "go")).last_active == datetime.fromtimestamp(
        1_780_000_000, UTC
    )


END = {"type": "turn_ended"}


@pytest.mark.parametrize(
    ("lines", "turn"),
    [
        ([], "open"),
        ([said("assistant", "done")], "ended"),
        ([said("assistant", CALL)], "open"),
        ([said("assistant", CALL), said("user", RESULT)], "open"),
        ([{**END, "status": "success"}], "ended"),
        ([{**END, "status": "error"}], "failed"),
        ([{**END, "status": "cancelled"}], "aborted"),
    ],
)
def test_the_last_turn(lines: list[dict[str, Any]], turn: str, tmp_path: Path) -> None:
    assert session(tmp_path, said("user", "go"), *lines).turn == turn


def test_reading_goes_on_where_it_ended(tmp_path: Path) -> None:
    lines = [said("user", "go"), said("assistant", CALL), said("user", RESULT), END]
    at_once = session(tmp_path, *lines)
    for cut in range(1, len(lines)):
        source = SourceFile(log(tmp_path, *lines[:cut]), root=tmp_path)
        first = list(AGENT.read(source, None))
        log(tmp_path, *lines)
        assert fold(first + list(AGENT.read(source, source.end)))["s1"] == at_once


def test_sub_agents_and_nothing_outside_of_transcripts(tmp_path: Path) -> None:
    log(tmp_path, said("user", "go"))
    log(tmp_path, said("user", "count"), name="a1", below="s1/subagents")
    for place in ("secrets.jsonl", "projects/other.jsonl"):
        (tmp_path / ".cursor" / place).write_text(json.dumps(said("user", "no")) + "\n")
    for root in (tmp_path, tmp_path / ".cursor"):
        found = fold(part for one in AGENT.session_files(root) for part in AGENT.read(one, None))
        assert sorted(found) == ["s1", "s1/a1"]
    assert found["s1/a1"].relations[0].parent_identity == "s1"
    assert found["s1/a1"].messages[0].kind == "injected"


@pytest.mark.parametrize(
    "odd", [said("assistant", {"type": 3}), {"role": "user", "message": "x"}, {"role": "user"}]
)
def test_odd_shapes_cost_only_themselves(odd: dict[str, Any], tmp_path: Path) -> None:
    assert session(tmp_path, odd, said("user", "go")).prompt == "go"


def test_a_file_without_words_is_told(tmp_path: Path) -> None:
    path = log(tmp_path)
    assert list(AGENT.read(SourceFile(path, root=tmp_path), None)) == []
    path.write_text("{torn\n")
    with pytest.raises(UnreadableSession, match="no message in it"):
        list(AGENT.read(SourceFile(path, root=tmp_path), None))


def test_resume_commands_are_safe_to_paste() -> None:
    facts = SessionFacts("cursor", "s1")
    assert AGENT.resume_command(facts, "go on") == "cursor agent --resume s1 'go on'"
    assert AGENT.resume_command(SessionFacts("cursor", "-x"), None) is None
    assert AGENT.resume_command(SessionFacts("cursor", "s1", kind="subagent"), None) is None
