"""Claude Code: titles, folders, times and parents of its sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sessions_app.agents.base import SourceFile
from sessions_app.agents.claude_code import ClaudeCode
from sessions_app.records import TITLE_AGENT, TITLE_CUSTOM, TITLE_SUMMARY, SessionRecord
from tests.agents.claude import log, read, session, user
from tests.agents.fold import fold, summary

REMINDER = "<system-reminder>be brief</system-reminder>"


def title(kind: str, words: str) -> dict[str, Any]:
    return {"type": f"{kind}-title", f"{kind}Title": words}


def leaf(words: str, uuid: str) -> dict[str, Any]:
    return {"type": "summary", "summary": words, "leafUuid": uuid}


RENAME = "<command-name>/rename</command-name><command-args>Given by hand</command-args>"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([user("hi")], ("", 0)),
        ([user("hi"), title("ai", "A"), title("ai", "B")], ("B", TITLE_AGENT)),
        ([user("hi"), title("custom", "C"), title("ai", "A")], ("C", TITLE_CUSTOM)),
        ([user("hi"), title("ai", "A"), title("custom", "  ")], ("A", TITLE_AGENT)),
        ([user("hi"), user(RENAME, "u2")], ("Given by hand", TITLE_CUSTOM)),
        ([user("hi"), {"type": "system", "subtype": "local_command", "content": RENAME}],
         ("Given by hand", TITLE_CUSTOM)),
        ([leaf("Another session's", "u9"), user("hi")], ("", 0)),
        ([leaf("Ours", "u1"), user("hi")], ("Ours", TITLE_SUMMARY)),
        ([user("hi"), leaf("Ours", "u1"), leaf("Another's", "u9")], ("Ours", TITLE_SUMMARY)),
        ([leaf("First", "u2"), leaf("Last", "u1"), user("hi"), user("ho", "u2")],
         ("Last", TITLE_SUMMARY)),
        ([leaf("Ours", "u1"), title("ai", "A"), user("hi")], ("A", TITLE_AGENT)),
    ],
)  # fmt: skip
def test_the_best_title_wins_however_the_reading_is_cut(
    lines: list[dict[str, Any]], expected: tuple[str, int], tmp_path: Path
) -> None:
    for cut in range(len(lines) + 1):
        path = log(tmp_path, *lines[:cut])
        source = SourceFile(path, root=tmp_path)
        parts = list(ClaudeCode().read(source, None))
        log(tmp_path, *lines)
        parts += ClaudeCode().read(source, source.end)
        (record,) = fold(parts).values()
        assert (record.title, record.title_rank) == expected, cut


def test_facts_of_the_session(tmp_path: Path) -> None:
    record = session(
        tmp_path,
        user(REMINDER, "u0", cwd="/work", timestamp="2026-07-01T10:00:05Z", gitBranch="main"),
        user("first", "u1", timestamp="2026-07-01T12:00:01+02:00", cwd="/else", version="2.1.0"),
        user("second", "u2", timestamp="not a time", gitBranch="topic"),
        {"type": "pr-link", "prNumber": 7, "prUrl": "https://x.invalid/7", "prRepository": "a/b"},
        {"type": "pr-link", "prNumber": 7, "prUrl": "https://x.invalid/7", "prRepository": "a/b"},
    )
    assert (record.work_dir, record.git_branch, record.agent_version) == ("/work", "topic", "2.1.0")
    assert record.prompt == "first"
    assert record.created_at is not None and record.created_at.isoformat()[11:19] == "10:00:01"
    assert record.last_active is not None and record.last_active.isoformat()[11:19] == "10:00:05"
    assert record.metadata["pull_requests"] == [
        {"number": 7, "url": "https://x.invalid/7", "repository": "a/b"}
    ]


def subagent(folder: Path, place: str, meta: str | None, **more: Any) -> SessionRecord:
    path = log(folder, user("count", isSidechain=True, **more), name=f"{place}agent-7")
    if meta is not None:
        path.with_suffix(".meta.json").write_text(meta)
    (record,) = fold(read(path)).values()
    return record


META = '{"agentType": "Explore", "description": "count files", "toolUseId": "t1"}'


@pytest.mark.parametrize(
    ("place", "meta", "call_id"),
    [
        ("parent/subagents/", META, "t1"),
        ("parent/subagents/workflows/wf1/", META, "t1"),
        ("parent/subagents/", None, ""),
        ("", None, ""),
    ],
)
def test_a_subagent_names_its_parent(
    place: str, meta: str | None, call_id: str, tmp_path: Path
) -> None:
    record = subagent(tmp_path, place, meta, sessionId="parent")
    assert (record.identity, record.kind, record.turn) == ("parent/agent-7", "subagent", "open")
    assert summary(record)["relations"] == [["subagent", "parent", call_id]]
    assert record.title == ("count files" if meta else "")
    assert record.metadata == ({"agent_type": "Explore"} if meta else {})


def test_a_broken_fact_file_is_reported_and_costs_nothing_else(tmp_path: Path) -> None:
    record = subagent(tmp_path, "parent/subagents/", "{torn")
    assert [problem.path[-10:] for problem in record.problems] == [".meta.json"]
    assert summary(record)["relations"] == [["subagent", "parent", ""]]
