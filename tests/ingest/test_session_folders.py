"""Session folders in the store: snapshots, artifacts and facts as they change."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sessions_app import packing
from sessions_app.actions.storage import open_stored
from sessions_app.models import AgentSession, Artifact, IngestProblem, Snapshot, StoredFile
from tests.ingest.conftest import Read

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / ".kimi" / "sessions" / "abcd0001"
    for name in ("snapshots", "artifacts"):
        (path / name).mkdir(parents=True)
    facts(path, status="active", total_tokens=100, total_cost=0.5, tags=["a"])
    say(path, "hello")
    return path


def facts(folder: Path, **more: Any) -> None:
    plain = {"id": folder.name, "created_at": "2026-02-01T09:00:00", "work_dir": "/srv/job"}
    path = folder / "metadata.json"
    path.write_text(json.dumps({**plain, "last_active": "2026-02-01T10:00:00", **more}), "utf-8")


def say(folder: Path, *words: str) -> None:
    with (folder / "messages.jsonl").open("a") as out:
        for word in words:
            line = {"role": "user", "content": word, "timestamp": "2026-02-01T09:30:00"}
            out.write(json.dumps(line) + "\n")


def snapshot(folder: Path, step: int, text: str | None = None) -> Path:
    path = folder / "snapshots" / f"step_{step}.json"
    state = {"step": step, "timestamp": "2026-02-01T09:40:00", "state": {"done": step}}
    path.write_text(json.dumps(state) if text is None else text)
    return path


def states() -> dict[int, Any]:
    return {
        row.step: json.loads(packing.unpack(row.packed)) if row.packed else row.problem
        for row in Snapshot.objects.all()
    }


def test_snapshots_stand_by_number_and_a_torn_one_is_named(folder: Path, read: Read) -> None:
    for step in (9, 12, 2):
        snapshot(folder, step)
    torn = snapshot(folder, 13, '{"step": 13, "sta')
    snapshot(folder, 9).rename(folder / "snapshots" / "step_009.json")
    snapshot(folder, 9)
    report = read(home=folder.parents[2])
    assert list(states()) == [2, 9, 12, 13]
    assert states()[12] == {"done": 12}
    assert "torn" in states()[13]
    [problem] = [item for item in report.problems if item.path == str(torn)]
    assert "torn" in problem.reason
    snapshot(folder, 13)
    read(home=folder.parents[2])
    assert states()[13] == {"done": 13}
    assert IngestProblem.objects.count() == 0


def test_a_snapshot_that_is_torn_later_keeps_its_state(folder: Path, read: Read) -> None:
    snapshot(folder, 1)
    read(home=folder.parents[2])
    snapshot(folder, 1, "{")
    read(home=folder.parents[2])
    assert states() == {1: {"done": 1}}
    assert IngestProblem.objects.count() == 1


def test_artifacts_are_stored_once_whatever_they_are_called(folder: Path, read: Read) -> None:
    (folder / "artifacts" / "sub").mkdir()
    for name in ("one.txt", "two.txt", "sub/报告.md"):
        (folder / "artifacts" / name).write_text("same bytes")
    read(home=folder.parents[2])
    assert list(Artifact.objects.values_list("path", flat=True)) == [
        "one.txt", "sub/报告.md", "two.txt",
    ]  # fmt: skip
    assert StoredFile.objects.count() == 1
    (folder / "artifacts" / "one.txt").write_text("other bytes")
    read(home=folder.parents[2])
    artifact = Artifact.objects.get(path="one.txt")
    with open_stored(artifact.sha256) as file:
        assert file.read() == b"other bytes"
    assert StoredFile.objects.count() == 2


def test_what_is_no_plain_file_is_refused_until_it_is_gone(
    folder: Path, read: Read, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("credentials")
    link, pipe = folder / "artifacts" / "link", folder / "artifacts" / "pipe"
    link.symlink_to(secret)
    os.mkfifo(pipe)
    report = read(home=folder.parents[2])
    assert {Path(item.path).name for item in report.problems} == {"link", "pipe"}
    assert (Artifact.objects.count(), StoredFile.objects.count()) == (0, 0)
    link.unlink()
    pipe.unlink()
    say(folder, "go on")
    read(home=folder.parents[2])
    assert IngestProblem.objects.count() == 0


def test_facts_follow_the_file(folder: Path, read: Read) -> None:
    read(home=folder.parents[2])
    session = AgentSession.objects.get()
    assert (session.status, session.total_tokens, float(session.recorded_cost)) == (
        "crashed", 100, 0.5,
    )  # fmt: skip
    facts(folder, status="paused", total_tokens=100, total_cost=0.75, progress=0.4,
          current_task="Half", total_steps=20, tags=["a", "b"])  # fmt: skip
    read(home=folder.parents[2])
    session.refresh_from_db()
    assert (session.status, float(session.cost), session.progress) == ("paused", 0.75, 0.4)
    assert (session.current_task, session.total_steps) == ("Half", 20)
    assert session.message_count == 1
    assert sorted(session.tags.values_list("name", flat=True)) == ["a", "b"]


def test_broken_facts_are_rebuilt_told_and_read_when_they_are_whole(
    folder: Path, read: Read
) -> None:
    (folder / "metadata.json").write_text('{"id": "abcd')
    report = read(home=folder.parents[2])
    session = AgentSession.objects.get()
    assert (session.message_count, session.metadata["rebuilt"]) == (1, True)
    assert "rebuilt" in report.problems[0].reason
    assert IngestProblem.objects.get().session == session
    facts(folder, status="completed")
    read(home=folder.parents[2])
    session.refresh_from_db()
    assert (session.status, session.metadata["rebuilt"]) == ("completed", False)
    assert IngestProblem.objects.count() == 0


def test_a_folder_that_begins_with_its_facts_gets_its_messages(tmp_path: Path, read: Read) -> None:
    path = tmp_path / ".kimi" / "sessions" / "abcd0002"
    path.mkdir(parents=True)
    facts(path, status="active", last_active=datetime.now(UTC).isoformat())
    read(home=tmp_path)
    say(path, "one", "two")
    read(home=tmp_path)
    session = AgentSession.objects.get()
    assert (session.message_count, session.status) == (2, "active")
    assert set(session.raw_files.values_list("main_path", flat=True)) == {
        "", str(path / "messages.jsonl"),
    }  # fmt: skip
