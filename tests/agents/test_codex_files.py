"""Codex: which files are its rollouts, how they go on, and what hostile ones do."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from sessions_app.agents.claude_code import ClaudeCode
from sessions_app.agents.codex import Codex
from sessions_app.records import SessionFacts
from tests.agents.codex import Lines, event, meta, rollout, user
from tests.agents.fold import fold, summary

HOSTILE = Path(__file__).parents[1] / "hostile"
DAY = "sessions/2026/03/01"


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    """A home with two live rollouts, two archived ones, and much that is none."""
    codex = tmp_path / "dev" / ".codex"
    rollout(codex / DAY, meta("a"), user("one"), name="rollout-a")
    rollout(codex / DAY, meta("b"), user("two"), name="rollout-b")
    rollout(codex / "archived_sessions", meta("a"), user("older copy"), name="rollout-a")
    rollout(codex / "archived_sessions", meta("c"), user("three"), name="rollout-c")
    rollout(codex, {"session_id": "a", "ts": 1, "text": "one"}, name="history")
    rollout(codex, {"id": "a", "thread_name": "Named"}, name="session_index")
    (codex / DAY / "rollout-d.jsonl.zst").write_bytes(b"no")
    (codex / DAY / "rollout-e.jsonl").symlink_to(codex / "history.jsonl")
    (codex / "sessions" / "elsewhere").symlink_to(tmp_path)
    return tmp_path / "dev"


ALL = ["rollout-a", "rollout-b", "rollout-c"]


def names(root: Path) -> list[str]:
    return [source.path.stem for source in Codex().session_files(root)]


def test_a_home_gives_live_rollouts_archived_ones_and_the_index(dev: Path) -> None:
    assert names(dev) == names(dev / ".codex") == [*ALL, "session_index"]
    first = next(iter(Codex().session_files(dev)))
    assert (first.path, first.root) == (dev / ".codex" / DAY / "rollout-a.jsonl", dev / ".codex")


def test_rollouts_are_found_in_any_folder_and_by_hand(dev: Path) -> None:
    rollout(dev.parent / "loose", meta("f"), user("four"), name="any name")
    assert names(dev.parent) == [*ALL[:2], "any name", ALL[2]]
    assert names(dev / ".codex" / DAY) == ALL[:2]
    assert names(dev.parent / "loose" / "any name.jsonl") == ["any name"]
    assert names(dev / ".codex" / "history.jsonl") == []
    assert names(dev / "nothing here") == []


@pytest.mark.parametrize(
    ("line", "is_ours"),
    [
        (meta(), True),
        (event("task_started"), True),
        (b'\xef\xbb\xbf{"timestamp":1,"type":"turn_context","payload":{}}\r', True),
        ({"id": "x", "timestamp": "2025-01-01", "instructions": None}, True),
        ({"type": "message", "role": "user", "content": [{"type": "input_text"}]}, True),
        ({"type": "user", "uuid": "u", "message": {"role": "user", "content": "x"}}, False),
        ({"type": "message", "id": "m", "message": {"content": []}}, False),
        ({"type": "message", "content": [{"type": "text", "text": "x"}]}, False),
        ({"type": "session_meta", "payload": "odd"}, False),
        ({"id": "x", "timestamp": "2025-01-01"}, False),
        (b"[" * 9000, False),
        (b"words", False),
    ],
)
def test_the_first_lines_tell_whose_file_it_is(
    line: dict[str, Any] | bytes, is_ours: bool, tmp_path: Path
) -> None:
    path = rollout(tmp_path, line, name="x")
    assert names(path) == ["x"] * is_ours
    assert not (is_ours and list(ClaudeCode().session_files(path)))


def test_the_folder_from_the_environment_is_only_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "there"))
    assert Codex().homes(tmp_path / "me") == [tmp_path / "there"]
    assert Codex().homes(tmp_path / "you") == [tmp_path / "you" / ".codex"]
    monkeypatch.delenv("CODEX_HOME")
    assert Codex().homes(tmp_path / "me") == [tmp_path / "me" / ".codex"]


def facts(**more: Any) -> SessionFacts:
    return SessionFacts(**{"backend": "codex", "backend_session_id": "abc", **more})


@pytest.mark.parametrize(
    ("session", "prompt", "command"),
    [
        (facts(), None, "codex resume abc"),
        (facts(work_dir="/home/dev/shop"), None, "cd /home/dev/shop && codex resume abc"),
        (facts(work_dir="/a b"), "it's on", "cd '/a b' && codex resume abc 'it'\"'\"'s on'"),
        (facts(backend_session_id="a;b"), None, "codex resume 'a;b'"),
        (facts(backend_session_id=""), None, None),
        (facts(backend_session_id="a\nb"), None, None),
        (facts(backend_session_id="--all"), None, None),
        (facts(kind="subagent"), None, None),
        (facts(work_dir="/a\x1b[2Jb"), None, None),
    ],
)
def test_a_session_goes_on_by_a_quoted_command(
    session: SessionFacts, prompt: str | None, command: str | None
) -> None:
    assert Codex().resume_command(session, prompt) == command


def read(name: str) -> dict[str, Any]:
    (source,) = Codex().session_files(HOSTILE / f"{name}_codex.jsonl")
    (record,) = fold(Codex().read(source, None)).values()
    return summary(record)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("01_markup", {"user_prompts": 5, "assistant_messages": 5, "tool_calls": 1}),
        ("02_ansi", {"tool_calls": 4, "tool_results": 4, "malformed": 0}),
        ("03_text", {"user_prompts": 5, "malformed": 0,
                     "texts": ["a\0b", "x \ufffd y", "\ufffd bad", "rtl \u202egnp.exe",
                               "sep \u2028 x"]}),
        ("04_numbers", {"responses": 7, "flagged": 7, "malformed": 0}),
        ("05_timestamps", {"user_prompts": 6, "malformed": 0,
                           "texts": ["t0", "t1", "t2", "t3", "t4", "t5"]}),
        ("06_garbage", {"texts": ["one", "two"], "malformed": 2,
                        "metadata": {"originator": "codex_cli_rs",
                                     "unknown_lines": ["something_new"]}}),
        ("07_deep", {"user_prompts": 0, "malformed": 1}),
        ("08_secrets", {"user_prompts": 2, "tool_calls": 3, "tool_results": 3}),
        ("09_resume", {"user_prompts": 1, "prompt": "resume me"}),
        ("10_slow", {"user_prompts": 5, "malformed": 0}),
    ],
)  # fmt: skip
def test_hostile_files_cost_at_most_the_bad_lines(name: str, wanted: dict[str, Any]) -> None:
    start = time.monotonic()
    found = read(name)
    assert {key: found[key] for key in wanted} == wanted
    assert time.monotonic() - start < 1


def test_impossible_numbers_count_no_input(tmp_path: Path) -> None:
    assert {name: n for name, n in read("04_numbers")["tokens"].items() if n} == {"output": 7}


def test_a_hostile_folder_runs_nothing_when_the_session_goes_on(tmp_path: Path) -> None:
    found = read("09_resume")
    marker = tmp_path / "marker"
    folder = found["work_dir"].replace("/tmp/resume_marker", str(marker))
    command = Codex().resume_command(facts(work_dir=folder), None)
    assert command is not None
    assert shlex.split(command)[:3] == ["cd", folder, "&&"]
    subprocess.run(["sh", "-c", command], capture_output=True, check=False)
    assert not marker.exists()


def test_the_last_name_in_the_index_is_the_title(tmp_path: Path) -> None:
    lines: Lines = [
        {"id": "a", "thread_name": "First"},
        {"id": "b", "thread_name": None},
        {"id": "a", "thread_name": "Second", "updated_at": "2026-03-01T10:00:00Z"},
    ]
    codex = tmp_path / ".codex"
    (codex / "sessions").mkdir(parents=True)
    rollout(codex, *lines, b"torn{", name="session_index")
    (source,) = Codex().session_files(tmp_path)
    (record,) = Codex().read(source, None)
    assert (record.identity, record.title) == ("a", "Second")
    assert record.joins and record.only_if_known
    assert [problem.line for problem in record.problems] == [4]
    with source.path.open("ab") as handle:
        handle.write(json.dumps({"id": "a", "thread_name": "Third"}).encode() + b"\n")
    (record,) = Codex().read(source, source.end)
    assert record.title == "Third"


def test_codex_keeps_no_list_of_running_sessions(dev: Path) -> None:
    assert Codex().live_sessions(dev / ".codex") == {}
