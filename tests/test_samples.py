"""The sample sessions: small, readable by their readers without a problem, and never stale."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from sessions_app.agents import AGENTS
from sessions_app.records import IMAGE, SessionRecord
from sessions_app.samples import HOME, copy_samples
from tests.agents.fold import fold

NOW = datetime(2027, 3, 1, 0, 30, 5, 250_000, tzinfo=timezone(timedelta(hours=8)))


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def sessions(home: Path) -> dict[str, SessionRecord]:
    found = [
        (agent, source)
        for agent in AGENTS
        for root in agent.homes(home)
        for source in agent.session_files(root)
    ]
    assert {agent.name for agent, _ in found} == {"claude-code", "codex", "clinvk", "sessions-dir"}
    return fold(part for agent, source in found for part in agent.read(source, None))


def test_the_whole_set_is_small_and_keeps_private_things_out() -> None:
    contents = files(HOME)
    assert sum(map(len, contents.values())) < 150_000
    text = b"\n".join(contents.values()).decode("utf-8", "replace")
    assert not re.search(r"sk-[A-Za-z0-9]{10}|gh[ps]_|AKIA|BEGIN [A-Z ]*PRIVATE KEY", text)
    assert not re.search(r"https?://(?!git\.example\.com)", text)


def test_every_reader_reads_its_samples_without_a_problem(tmp_path: Path) -> None:
    found = sessions(copy_samples(tmp_path, NOW))
    assert [record.problems for record in found.values() if record.problems] == []
    kinds = [(record.backend, record.kind, record.turn) for record in found.values()]
    for kind in [
        ("claude", "main", "ended"),
        ("claude", "subagent", "ended"),
        ("claude", "main", "open"),
        ("codex", "main", "failed"),
        ("gemini", "main", ""),
        ("kimi", "main", "open"),
    ]:
        assert kind in kinds
    blocks = [block for s in found.values() for m in s.messages for block in m.blocks]
    assert any(block.kind == IMAGE and block.data.startswith(b"\x89PNG") for block in blocks)
    results = [result.text for record in found.values() for result in record.results]
    assert any("\x1b[32m" in text for text in results)


def test_a_fork_a_joined_record_and_a_long_run_are_among_them(tmp_path: Path) -> None:
    found = sessions(copy_samples(tmp_path, NOW))
    first_keys = [record.messages[0].key for record in found.values() if record.messages]
    assert len(first_keys) > len(set(first_keys))
    joined = [record for record in found.values() if record.alias and record.messages]
    assert [record.tags for record in joined] == [["bugfix", "checkout"]]
    [run] = [record for record in found.values() if record.snapshots]
    assert (run.total_steps, run.progress, run.status) == (1000, 0.45, "crashed")
    assert max(snapshot.step for snapshot in run.snapshots) == 450
    assert len(run.artifacts) == 3


def test_the_newest_session_ended_an_hour_ago(tmp_path: Path) -> None:
    found = sessions(copy_samples(tmp_path, NOW))
    last = [record.last_active for record in found.values() if record.last_active]
    assert timedelta(minutes=59) < NOW - max(last) < timedelta(minutes=61)
    assert min(last) > NOW - timedelta(days=14)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/Los_Angeles"])
def test_a_copy_is_the_same_for_the_same_time_and_right_in_every_zone(
    zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        first = copy_samples(tmp_path / "1", NOW)
        second = copy_samples(tmp_path / "2", NOW.astimezone(UTC))
        assert files(first) == files(second)
        assert len(files(first)) == len(files(HOME))
        [run] = [record for record in sessions(first).values() if record.snapshots]
        assert run.last_active == datetime(2027, 2, 27, 12, 0, 19, 120, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_codex_files_move_to_the_folder_of_their_day(tmp_path: Path) -> None:
    home = copy_samples(tmp_path, NOW)
    paths = sorted((home / ".codex" / "sessions").rglob("*.jsonl"))
    assert len(paths) == 2
    for path in paths:
        day = "-".join(path.parts[-4:-1])
        assert path.name.startswith(f"rollout-{day}T")
        assert datetime.fromisoformat(day).replace(tzinfo=UTC) > NOW - timedelta(days=14)
