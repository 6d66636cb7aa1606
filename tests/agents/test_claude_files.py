"""Claude Code: which files are its logs, which sessions run, and how they go on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sessions_app.agents.claude_code import ClaudeCode
from sessions_app.agents.folders import existing
from sessions_app.agents.processes import started_ticks
from sessions_app.records import SessionFacts
from tests.agents.claude import SESSION, log, user

PROJECT = "-home-dev-shop"


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    """A home with two sessions, one of them with a sub-agent, and much that is no session."""
    claude = tmp_path / "dev" / ".claude"
    project = claude / "projects" / PROJECT
    log(project, user("one"))
    log(project, user("two"), name="b")
    log(project / "b" / "subagents", user("three"), name="agent-1")
    (project / "b" / "subagents" / "agent-1.meta.json").write_text("{}")
    log(project / "b" / "subagents" / "workflows" / "w", user("four"), name="agent-2")
    log(project / "b" / "subagents" / "workflows" / "w", user("no"), name="journal")
    log(project / "b" / "tool-results", user("no"), name="output")
    log(claude, user("no"), name="history")
    log(claude / "todos", user("no"), name="todo")
    (project / "memory.md").write_text("no")
    return tmp_path / "dev"


ALL = [f"{SESSION}.jsonl", "b.jsonl", "agent-1.jsonl", "agent-2.jsonl"]


def names(root: Path) -> list[str]:
    return [source.path.name for source in ClaudeCode().session_files(root)]


@pytest.mark.parametrize(
    "root", [".", ".claude", ".claude/projects", f".claude/projects/{PROJECT}"]
)
def test_logs_are_found_from_every_level(root: str, dev: Path) -> None:
    assert names(dev / root) == ALL


def test_logs_are_found_somewhere_below_a_folder(dev: Path) -> None:
    log(dev.parent / "loose", user("five"), name="c")
    assert names(dev.parent) == [*ALL, "c.jsonl"]


def test_one_file_given_by_hand_is_enough(dev: Path) -> None:
    path = dev / ".claude" / "projects" / PROJECT / "b" / "subagents" / "agent-1.jsonl"
    (source,) = ClaudeCode().session_files(path)
    assert (source.path, source.companions) == (path, (path.with_suffix(".meta.json"),))


def test_symlinks_are_not_followed(dev: Path, tmp_path: Path) -> None:
    outside = log(tmp_path / "outside", user("secret"), name="s")
    project = dev / ".claude" / "projects" / PROJECT
    (project / "link.jsonl").symlink_to(outside)
    (project / "folder").symlink_to(outside.parent)
    (project / "loop").symlink_to(project)
    assert names(dev) == ALL


@pytest.mark.parametrize(
    ("first", "is_ours"),
    [
        (user("hi"), True),
        ({"type": "summary", "summary": "x", "leafUuid": "u"}, True),
        ({"type": "mode", "mode": "normal", "sessionId": "s"}, True),
        ({"type": "mode", "mode": "normal"}, False),
        ({"timestamp": "t", "type": "session_meta", "payload": {"id": "s"}}, False),
        ({"type": "message", "role": "user", "content": []}, False),
        ({"type": "user", "sessionId": "s", "message": {"role": "user", "parts": []}}, False),
        ({"id": "1", "type": "user", "content": [{"text": "hi"}], "sessionId": "s"}, False),
        ({"role": "user", "content": "hi"}, False),
        ([1], False),
        ({}, False),
    ],
)
def test_a_log_given_by_hand_is_known_by_its_lines(
    first: Any, is_ours: bool, tmp_path: Path
) -> None:
    path = log(tmp_path, b"\xef\xbb\xbf{torn", first, name="x")
    assert bool(names(path)) == bool(names(tmp_path)) == is_ours


def test_the_first_line_of_the_conversation_decides(tmp_path: Path) -> None:
    qwen = {"type": "user", "sessionId": "s", "message": {"role": "user", "parts": []}}
    assert names(log(tmp_path, {"type": "system", "sessionId": "s"}, qwen, name="q")) == []
    assert names(log(tmp_path, {"type": "system", "sessionId": "s"}, user("hi"), name="c"))


def test_a_home_may_hold_two_folders(dev: Path) -> None:
    both = [dev / ".claude" / "projects", dev / ".config" / "claude" / "projects"]
    assert ClaudeCode().homes(dev) == both
    assert existing(both) == both[:1]


def test_the_configured_folders_are_those_of_our_own_home(
    dev: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(tmp_path / "one" / "projects" / PROJECT, user("hi"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", f"{tmp_path / 'one'}, {tmp_path / 'missing'}")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ClaudeCode().homes(tmp_path) == [
        tmp_path / "one" / "projects", tmp_path / "missing" / "projects",
    ]  # fmt: skip
    assert names(tmp_path / "one" / "projects") == [f"{SESSION}.jsonl"]
    assert ClaudeCode().homes(dev)[0] == dev / ".claude" / "projects"


def registered(dev: Path, name: str, **entry: Any) -> None:
    folder = dev / ".claude" / "sessions"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(entry))


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("level", [".", ".claude", ".claude/projects"])
def test_live_sessions_are_told_from_killed_ones(level: str, dev: Path) -> None:
    mine = os.getpid()
    registered(dev, "1", pid=mine, sessionId="alive", procStart=str(started_ticks(mine)))
    registered(dev, "2", pid=dead_pid(), sessionId="killed")
    registered(dev, "3", pid=mine, sessionId="number used again", procStart="1")
    registered(dev, "4", pid=mine, sessionId="from before the boot", startedAt=1_000_000)
    registered(dev, "5", pid=mine, sessionId="older version")
    registered(dev, "6", pid=-1, sessionId="no number")
    registered(dev, "7", pid="12", sessionId="text")
    registered(dev, "8", pid=mine)
    (dev / ".claude" / "sessions" / "9.json").write_text("{torn")
    (dev / ".claude" / "sessions" / "10.json").mkdir()
    assert ClaudeCode().live_sessions(dev / level) == {
        "alive": True,
        "killed": False,
        "number used again": False,
        "from before the boot": False,
        "older version": True,
        "no number": False,
        "text": False,
    }


def test_a_home_without_a_registry_has_no_live_sessions(tmp_path: Path) -> None:
    assert ClaudeCode().live_sessions(tmp_path) == {}


@pytest.mark.parametrize(
    ("facts", "prompt", "command"),
    [
        (("s-1", "/w"), None, "cd /w && claude --resume s-1"),
        (("s-1", ""), None, "claude --resume s-1"),
        (("s-1", "/my shop"), "go on", "cd '/my shop' && claude --resume s-1 'go on'"),
        (("s;touch x", "/w"), None, "cd /w && claude --resume 's;touch x'"),
        (("s-1", "/w'; touch x"), None, "cd '/w'\"'\"'; touch x' && claude --resume s-1"),
        (("s-1", "/w"), "-p\n\x1b[2J", "cd /w && claude --resume s-1 -- '-p [2J'"),
        (("", "/w"), None, None),
        (("--help", "/w"), None, None),
        (("s\n1", "/w"), None, None),
        (("s\x1b1", "/w"), None, None),
        (("s-1", "/w\r"), None, None),
        (("s-1", "/w\u202e"), None, None),
    ],
)
def test_resume_commands_are_safe_to_paste(
    facts: tuple[str, str], prompt: str | None, command: str | None
) -> None:
    session = SessionFacts("claude", facts[0], facts[1])
    assert ClaudeCode().resume_command(session, prompt) == command


def test_a_subagent_is_not_resumed() -> None:
    session = SessionFacts("claude", "agent-1", "/w", kind="subagent")
    assert ClaudeCode().resume_command(session, None) is None
