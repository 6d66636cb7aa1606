"""Session folders: which folders are theirs, and how their files make one session (part of K5)."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sessions_app.agents.base import SourceFile, UnreadableSession
from sessions_app.agents.sessions_dir import SessionsDir
from sessions_app.agents.sessions_dir.files import printable
from sessions_app.records import Position, SessionFacts, SessionRecord
from tests.agents.fold import fold

AGENT = SessionsDir()
SAMPLES = Path(__file__).parent / "samples"
HOME = SAMPLES / "sessions-dir" / "store" / "home"
FACTS = {"id": "s1", "created_at": "2026-02-01T09:00:00", "last_active": "2026-02-01T10:00:00"}


@pytest.fixture(autouse=True)
def local_zone_is_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def line(role: Any, content: Any, at: Any = "2026-02-01T09:30:00", **metadata: Any) -> str:
    message = {"role": role, "content": content, "timestamp": at, "metadata": metadata}
    return json.dumps(message) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A session in a home: two messages, facts, one snapshot, one artifact."""
    path = tmp_path / ".kimi" / "sessions" / "s1"
    (path / "snapshots").mkdir(parents=True)
    (path / "artifacts" / "sub").mkdir(parents=True)
    (path / "metadata.json").write_text(json.dumps(FACTS | {"status": "active"}))
    (path / "messages.jsonl").write_text(line("user", "hello") + line("assistant", "hi"))
    (path / "snapshots" / "step_9.json").write_text('{"step": 9, "state": {"done": 9}}')
    (path / "artifacts" / "sub" / "报告.md").write_text("# 报告")
    return path


def source_of(root: Path) -> SourceFile:
    [source] = AGENT.session_files(root)
    return source


def read(root: Path, after: Position | None = None) -> tuple[SessionRecord, Position]:
    source = source_of(root)
    [record] = AGENT.read(source, after)
    end = msgspec.msgpack.decode(msgspec.msgpack.encode(source.end), type=Position)
    return record, end


def found(root: Path) -> list[str]:
    return [source.path.parent.name for source in AGENT.session_files(root)]


ALL = ["18072e8c", "c386bbc4", "cd447e35", "f3c64af7", "f8130c42", "nometa00"]


def test_every_folder_above_leads_to_the_same_sessions() -> None:
    sessions = HOME / ".kimi" / "sessions"
    assert AGENT.homes(HOME) == [sessions]
    for root in (sessions, HOME, HOME / ".kimi", HOME.parent):
        assert found(root) == ALL
    assert found(sessions / "c386bbc4") == ["c386bbc4"]
    assert found(sessions / "c386bbc4" / "messages.jsonl") == ["c386bbc4"]
    assert found(sessions / "index.json") == []


def test_companions_are_everything_that_belongs_to_the_messages(folder: Path) -> None:
    source = source_of(folder)
    names = [path.relative_to(folder).as_posix() for path in source.companions]
    assert source.path == folder / "messages.jsonl"
    assert names == ["metadata.json", "snapshots/step_9.json", "artifacts/sub/报告.md"]


def test_sessions_of_other_agents_are_not_taken(tmp_path: Path) -> None:
    root = tmp_path / ".kimi" / "sessions"
    real = root / ("0" * 32) / "11111111-2222-4333-8444-555555555555"
    real.mkdir(parents=True)
    (real / "context.jsonl").write_text('{"role": "user", "content": "x"}\n')
    (real / "metadata.json").write_text(json.dumps(FACTS))
    package = tmp_path / "package"
    package.mkdir()
    (package / "metadata.json").write_text('{"name": "x", "id": "y"}')
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "messages.jsonl").write_text('{"level": "info", "text": "x"}\n')
    assert found(tmp_path) == []
    assert found(root) == []
    for other in ("claude-code", "codex"):
        assert found(SAMPLES / other) == []


def test_a_lone_file_is_enough_when_it_looks_right(tmp_path: Path) -> None:
    for name, file, text in [
        ("a", "messages.jsonl", line("user", "x")),
        ("b", "metadata.json", json.dumps(FACTS)),
        ("c", "metadata.json", '{"id": "c", "created_at": "2026'),
    ]:
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(text)
    assert found(tmp_path) == ["a", "b"]


def test_symlinked_folders_and_files_are_refused(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    (folder / "artifacts" / "link.txt").symlink_to(secret)
    (folder / "artifacts" / "tree").symlink_to(tmp_path)
    (folder / "snapshots" / "step_10.json").symlink_to(folder / "snapshots" / "step_9.json")
    os.mkfifo(folder / "artifacts" / "pipe")
    (folder.parent / "s2").symlink_to(folder)
    record, _ = read(folder.parent)
    assert [item.path for item in record.artifacts] == ["sub/报告.md"]
    assert [item.step for item in record.snapshots] == [9]
    refused = {Path(problem.path).name: problem.reason for problem in record.problems}
    assert refused == {
        "link.txt": "a symbolic link: refused",
        "tree": "a symbolic link: refused",
        "step_10.json": "a symbolic link: refused",
        "pipe": "not a plain file: refused",
    }


def test_linked_facts_are_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "facts.json").write_text(json.dumps(FACTS | {"description": "not mine"}))
    (folder / "metadata.json").unlink()
    (folder / "metadata.json").symlink_to(tmp_path / "facts.json")
    record, _ = read(folder)
    assert record.description == ""
    assert [problem.reason for problem in record.problems] == ["a symbolic link: refused"]


def test_artifacts_are_named_for_copying_and_not_kept_as_raw_bytes(folder: Path) -> None:
    source = source_of(folder)
    kept: list[str] = []
    source.keep = lambda path, offset, data: kept.append(path.name)
    [record] = AGENT.read(source, None)
    [artifact] = record.artifacts
    assert artifact.source == str(folder / "artifacts" / "sub" / "报告.md")
    assert artifact.size == len("# 报告".encode())
    assert sorted(kept) == ["messages.jsonl", "metadata.json", "step_9.json"]


def test_a_name_that_is_no_text_is_named_and_left(folder: Path) -> None:
    (folder / "artifacts" / os.fsdecode(b"bad\xff.txt")).write_text("x")
    assert all(printable(path) == str(path) for path in source_of(folder).companions)
    record, _ = read(folder)
    assert [problem.path for problem in record.problems] == [f"{folder}/artifacts/bad\ufffd.txt"]


@pytest.mark.parametrize(
    ("name", "text", "step", "problem"),
    [
        ("step_10.json", '{"step": 3, "state": {"a": 1}}', 10, ""),
        ("step_007.json", '{"state": null}', 7, ""),
        ("step_11.json", '{"step": 11, "sta', 11, "torn or not JSON"),
        ("step_12.json", "", 12, "empty file"),
        ("step_13.json", "[1]", 13, "not an object but list"),
        ("step_14.json", '{"step": 14}', 14, "no state in it"),
        ("step_15.json", "[" * 100_000, 15, "torn or not JSON"),
        ("step_x.json", "{}", None, "no snapshot"),
        ("step_-1.json", "{}", None, "no snapshot"),
    ],
)
def test_snapshots_count_by_the_number_in_their_name(  # part of K9
    folder: Path, name: str, text: str, step: int | None, problem: str
) -> None:
    (folder / "snapshots" / "step_9.json").unlink()
    (folder / "snapshots" / name).write_text(text)
    record, _ = read(folder)
    assert [item.step for item in record.snapshots] == ([] if step is None else [step])
    assert bool(problem) == bool(record.problems)
    assert all(item.reason.startswith(problem) for item in record.problems)
    assert all(item.problem.startswith(problem) for item in record.snapshots)
    assert all(item.state is None for item in record.snapshots if item.problem)


def test_naive_times_are_local_and_told_zones_count(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    times = ["2026-02-01T09:30:00", "2026-02-01T09:30:00+00:00", 1769938200, "0001-01-01T00:00:00"]
    (folder / "messages.jsonl").write_text("".join(line("user", "x", at) for at in times))
    record, _ = read(folder)
    half_past = datetime(2026, 2, 1, 9, 30, tzinfo=UTC)
    expected = [half_past.replace(hour=1), half_past, half_past]
    assert [message.at for message in record.messages[:3]] == expected
    assert record.messages[3].at is None
    assert record.created_at == datetime(2026, 2, 1, 1, tzinfo=UTC)


def test_messages_keep_their_line_their_role_and_their_metadata(folder: Path) -> None:
    (folder / "messages.jsonl").write_text(
        line("system", "You are kind.")
        + "not json\n\n"
        + line("tool", "stdout: ok", tool="Shell", tool_call_id="c2")
        + line("assistant", "done", model="kimi-k2", tokens=3)
        + line("critic", {"a": ["é"]})
        + '{"role": "user", "content": null, "metadata": "odd"}\n'
        + '{"role": 3, "content": "x"}\n'
        + '{"content": "no role"}\n'
    )
    record, _ = read(folder)
    assert [(m.key, m.role, m.kind) for m in record.messages] == [
        ("L1", "system", "injected"),
        ("L4", "tool", "note"),
        ("L5", "assistant", "answer"),
        ("L6", "system", "note"),
        ("L7", "user", "prompt"),
    ]
    tool, answer, critic, empty = record.messages[1:]
    assert tool.metadata == {"tool": "Shell", "tool_call_id": "c2"}
    assert (answer.model, answer.metadata["tokens"]) == ("kimi-k2", 3)
    assert critic.blocks[0].text == '{\n  "a": [\n    "é"\n  ]\n}'
    assert critic.metadata == {"role": "critic"}
    assert (empty.blocks, empty.metadata) == ([], {"metadata": "odd"})
    assert [problem.line for problem in record.problems] == [2, 8, 9]


def test_odd_facts_say_nothing_and_spoil_nothing(folder: Path) -> None:
    odd = {
        "id": "other", "status": "sleeping", "tags": "auth", "total_steps": -1, "progress": 1.5,
        "description": 7, "total_tokens": -5, "total_cost": "much", "mood": "good",
        "created_at": "yesterday", "last_active": None,
    }  # fmt: skip
    (folder / "metadata.json").write_text(json.dumps(odd))
    record, _ = read(folder)
    assert (record.status, record.turn, record.tags, record.title) == ("", "", [], "")
    assert (record.total_steps, record.progress) == (None, None)
    assert record.created_at == record.last_active == datetime(2026, 2, 1, 9, 30, tzinfo=UTC)
    assert (record.usages[0].input, record.usages[0].cost) == (0, None)
    assert record.usages[0].flagged
    assert record.metadata == {
        "mood": "good", "stated_id": "other", "stated_status": "sleeping",
        "stated_total_tokens": -5, "stated_total_cost": "much", "tokens_are_a_total": True,
    }  # fmt: skip


def test_without_facts_and_messages_the_files_own_time_counts(folder: Path) -> None:
    (folder / "messages.jsonl").unlink()
    (folder / "metadata.json").write_text('{"id": "s1", "created_')
    os.utime(folder / "metadata.json", (1_769_938_200, 1_769_938_200))
    source = source_of(folder)
    [record] = AGENT.read(source, None)
    assert source.end.offset == 0
    assert record.created_at == record.last_active == datetime(2026, 2, 1, 9, 30, tzinfo=UTC)
    assert record.metadata == {"rebuilt": True}
    assert record.problems[0].reason.startswith("facts were rebuilt from the messages: torn")


def test_mended_facts_take_the_mark_away(folder: Path) -> None:
    text = (folder / "metadata.json").read_text()
    (folder / "metadata.json").write_text(text[:20])
    broken, end = read(folder)
    (folder / "metadata.json").write_text(text)
    mended, end = read(folder, end)
    after, _ = read(folder, end)
    marks = [record.metadata.get("rebuilt") for record in (broken, mended, after)]
    assert marks == [True, False, None]


def test_a_second_reading_gives_only_what_is_new(folder: Path) -> None:
    _, end = read(folder)
    with (folder / "messages.jsonl").open("a") as file:
        file.write(line("user", "and now?") + '{"role": "assi')
    (folder / "snapshots" / "step_20.json").write_text('{"state": 20}')
    (folder / "artifacts" / "sub" / "报告.md").write_text("# 报告 2")
    (folder / "metadata.json").write_text(json.dumps(FACTS | {"status": "completed"}))
    record, end = read(folder, end)
    assert [message.key for message in record.messages] == ["L3"]
    assert [snapshot.step for snapshot in record.snapshots] == [20]
    assert [artifact.path for artifact in record.artifacts] == ["sub/报告.md"]
    assert (record.status, record.turn) == ("completed", "ended")
    record, _ = read(folder, end)
    assert (record.messages, record.snapshots, record.artifacts) == ([], [], [])


def test_a_torn_snapshot_is_told_again_until_it_is_whole(folder: Path) -> None:
    torn = folder / "snapshots" / "step_10.json"
    torn.write_text('{"step": 10, "sta')
    first, end = read(folder)
    second, end = read(folder, end)
    torn.write_text('{"step": 10, "state": 1}')
    third, _ = read(folder, end)
    assert [len(record.problems) for record in (first, second, third)] == [1, 1, 0]
    assert [item.state for item in third.snapshots] == [1]


def test_a_position_of_another_version_starts_again(folder: Path) -> None:
    _, end = read(folder)
    end.version = AGENT.version + 1
    record, _ = read(folder, end)
    assert len(record.messages) == 2
    assert len(record.snapshots) == 1


@pytest.mark.parametrize("session", ["c386bbc4", "cd447e35", "f8130c42"])
def test_reading_in_two_steps_is_reading_at_once(session: str, tmp_path: Path) -> None:
    sample = HOME / ".kimi" / "sessions" / session
    folder = tmp_path / ".kimi" / "sessions" / session
    for path in sample.rglob("*.*"):
        (folder / path.relative_to(sample)).parent.mkdir(parents=True, exist_ok=True)
        (folder / path.relative_to(sample)).write_bytes(path.read_bytes())
    at_once = fold([read(folder)[0]])
    data = (sample / "messages.jsonl").read_bytes()
    for cut in range(0, len(data), 7):
        (folder / "messages.jsonl").write_bytes(data[:cut])
        first, end = read(folder)
        (folder / "messages.jsonl").write_bytes(data)
        second, _ = read(folder, end)
        assert fold([first, second]) == at_once, f"cut at byte {cut}"


def test_a_long_file_comes_in_parts(folder: Path) -> None:
    long = line("user", "x" * 3_000_000)
    (folder / "messages.jsonl").write_text(long * 4)
    source = source_of(folder)
    ends = [(len(record.messages), source.end.offset) for record in AGENT.read(source, None)]
    assert ends == [(3, 3 * len(long)), (1, 4 * len(long))]


def test_a_held_lock_means_that_somebody_writes(folder: Path) -> None:
    lock = folder / ".lock"
    lock.touch()
    root = folder.parent
    assert AGENT.live_sessions(root) == {}
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert AGENT.live_sessions(root) == {"s1": True}
    assert AGENT.live_sessions(root) == {}


def test_a_vanished_file_is_unreadable(folder: Path) -> None:
    source = source_of(folder)
    source.path.unlink()
    with pytest.raises(UnreadableSession):
        list(AGENT.read(source, None))


@pytest.mark.parametrize(
    ("native", "work_dir", "prompt", "command"),
    [
        ("s1", "/home/dev/a b", None, "cd '/home/dev/a b' && kimi --session s1"),
        ("s1", "", "go $(on)", "kimi --session s1 --prompt='go $(on)'"),
        ("a;touch x", "", None, "kimi --session 'a;touch x'"),
        ("-rf", "", None, None),
        ("", "/x", None, None),
    ],
)
def test_a_session_goes_on_in_its_folder(
    native: str, work_dir: str, prompt: str | None, command: str | None
) -> None:
    facts = SessionFacts("kimi", native, work_dir=work_dir)
    assert AGENT.resume_command(facts, prompt) == command
