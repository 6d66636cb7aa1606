"""Files that try to break the ingest: it reads on, and says what it could not read."""

from __future__ import annotations

import os
import shutil
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sessions_app.models import AgentSession, IngestProblem, Message, RawFile, Usage
from tests.dump import dump
from tests.ingest.conftest import Read
from tests.ingest.talks import Talk
from tests.invariants import raw_bytes

pytestmark = pytest.mark.django_db

HOSTILE = Path(__file__).parents[1] / "hostile"


@pytest.fixture
def hostile(tmp_path: Path, read: Read) -> Any:
    """Reads one of the hostile files, twice; gives its session and the report."""

    def run(name: str) -> tuple[AgentSession, list[tuple[int, str]]]:
        [source] = HOSTILE.glob(f"{name}*_codex.jsonl")
        path = Path(shutil.copy(source, tmp_path))
        report = read()
        before = dump()
        assert read().parsed == 0
        read(full=True)
        assert dump() == before
        session = AgentSession.objects.get()
        assert raw_bytes(RawFile.objects.get()) == path.read_bytes()
        stored = IngestProblem.objects.order_by("line").values_list("path", "line", "reason")
        assert [tuple(row) for row in stored] == [
            (str(path), item.line, item.reason) for item in report.problems
        ]
        return session, [(item.line, item.reason) for item in report.problems]

    return run


def texts() -> list[str]:
    shown = Message.objects.exclude(role="system").order_by("session", "seq")
    return list(shown.values_list("text", flat=True))


def test_markup_is_kept_as_text(hostile: Any) -> None:
    source = next(HOSTILE.glob("01_*")).read_text("utf-8")
    hostile("01")
    said = "\n".join(texts())
    assert "<script>" in said and "{{" in said
    assert "<script>" in source


def test_texts_that_cannot_be_stored_are_repaired(hostile: Any) -> None:
    session, problems = hostile("03")
    assert texts() == ["a\u2400b", "x \ufffd y", "\ufffd bad", "rtl \u202egnp.exe", "sep \u2028 x"]
    assert (session.user_messages, problems) == (5, [])


def test_impossible_numbers_count_nothing_and_are_flagged(hostile: Any) -> None:
    session, problems = hostile("04")
    assert (session.input_tokens, session.output_tokens) == (0, 7)
    assert Usage.objects.filter(is_flagged=True).count() == 7
    assert problems == []


def test_a_time_in_the_future_makes_nothing_fresh(hostile: Any) -> None:
    session, _ = hostile("05")
    assert texts() == [f"t{number}" for number in range(6)]
    assert session.last_active < datetime(2026, 6, 1, tzinfo=UTC)
    times = list(session.messages.order_by("seq").values_list("at", flat=True))
    assert times[-1] is None
    assert max(at for at in times if at) <= datetime.now(UTC)
    assert session.status != "active"


def test_garbage_is_named_line_by_line(hostile: Any) -> None:
    session, problems = hostile("06")
    assert texts() == ["one", "two"]
    assert [line for line, _ in problems] == [3, 4]
    assert all(reason for _, reason in problems)
    assert "something_new" in str(session.metadata)


def test_deep_nesting_is_named(hostile: Any) -> None:
    _, problems = hostile("07")
    assert [reason for _, reason in problems] == ["nested too deeply"]


def odd_entries(folder: Path, outside: Path) -> None:
    """Everything that can be called x.jsonl and is no log."""
    (folder / "folder.jsonl").mkdir()
    os.mkfifo(folder / "pipe.jsonl")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(folder)  # a socket's path must be short
        server.bind("socket.jsonl")
        os.chdir(here)
    (folder / "dangling.jsonl").symlink_to("nowhere")
    (folder / "outside.jsonl").symlink_to(outside)
    (folder / "circle").symlink_to(folder)
    (folder / "empty.jsonl").touch()


def test_what_is_no_file_never_stops_the_run(tmp_path: Path, read: Read) -> None:
    outside = Talk("bbbbbbbb").turns(1).write(tmp_path / "outside")
    home = tmp_path / "home"
    good = Talk("aaaaaaaa").turns(1).write(home)
    odd_entries(good.parent, outside)
    for paths in ([home], [good.parent], sorted(good.parent.iterdir())):
        report = read(*[path for path in paths if path.name != "outside.jsonl"])
    assert report.failed == 0
    assert list(AgentSession.objects.values_list("identity", flat=True)) == [good.stem]


BROKEN = {
    "binary": bytes(range(256)) * 400,
    "zeros": b"\0" * 100_000,
    "utf-16": "\ufeffHello\n{}\n".encode("utf-16"),
    "one brace": b"{",
    "numbers": b"1\n2\n3\n",
    "newlines": b"\n" * 5000,
    "endless line": b'{"type":"user","message":"' + b"x" * 1_000_000,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_costs_only_itself(tmp_path: Path, read: Read, kind: str) -> None:
    good = Talk("aaaaaaaa").turns(2).write(tmp_path)
    bad = good.with_name("bad.jsonl")
    bad.write_bytes(BROKEN[kind])
    for name in ("messages.jsonl", "metadata.json"):
        folder = tmp_path / ".kimi" / "sessions" / "s1"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(BROKEN[kind])
    record = tmp_path / ".clinvk" / "sessions" / "a.json"
    record.parent.mkdir(parents=True)
    record.write_bytes(BROKEN[kind])
    for _ in range(2):
        read(home=tmp_path, paths=None)
        assert Message.objects.filter(session__identity=good.stem).count() == 4
        bad.write_bytes(bad.read_bytes() + b"\nmore")  # it grows, and is read again
    assert IngestProblem.objects.count() < 1000


def test_a_bad_file_that_is_read_again_and_again_is_listed_once(tmp_path: Path, read: Read) -> None:
    path = tmp_path / ".claude" / "projects" / "p" / "bad.jsonl"
    path.parent.mkdir(parents=True)
    record = tmp_path / ".clinvk" / "sessions" / "a.json"
    record.parent.mkdir(parents=True)
    for round_ in range(5):
        path.write_text("no JSON\n" * (round_ + 1))
        record.write_text('{"id": ' + "[" * round_)
        assert read(home=tmp_path).failed == 2
    assert IngestProblem.objects.count() == 2
    IngestProblem.objects.update(dismissed_at=datetime.now(UTC))
    read(home=tmp_path, full=True)
    assert IngestProblem.objects.filter(dismissed_at=None).count() == 0
    path.write_text("no JSON\n" * 9)
    read(home=tmp_path)
    assert IngestProblem.objects.get(dismissed_at=None).path == str(path)


def test_names_that_cannot_be_stored_are_told(tmp_path: Path, read: Read) -> None:
    folder = Talk("aaaaaaaa").turns(1).write(tmp_path).parent
    (folder / os.fsdecode(b"caf\xe9.jsonl")).write_bytes(Talk("bbbbbbbb").turns(1).data())
    deep = folder
    for _ in range(6):
        deep = deep / ("d" * 240)
    deep.mkdir(parents=True)
    (deep / "far.jsonl").write_bytes(Talk("cccccccc").turns(1).data())
    report = read()
    assert (report.parsed, report.failed) == (1, 2)
    assert sorted(item.reason for item in report.problems) == [
        "its name is not UTF-8: rename it", "its path is longer than 1024 bytes",
    ]  # fmt: skip
    assert IngestProblem.objects.count() == 2
    assert read().unchanged == 3


@pytest.mark.parametrize("jobs", [0, 1])
def test_a_reader_that_raises_costs_only_its_file(
    tmp_path: Path, read: Read, jobs: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a reader does not expect: here a file that is gone when it is opened."""
    good = Talk("aaaaaaaa").turns(1).write(tmp_path)
    record = tmp_path / ".kimi" / "sessions" / "s1" / "messages.jsonl"
    record.parent.mkdir(parents=True)
    record.write_text('{"role": "user", "content": "x", "timestamp": "2026-01-01T00:00:00"}\n')
    (record.parent / "snapshots").mkdir()
    (record.parent / "snapshots" / "step_1.json").mkdir()
    report = read(jobs=jobs)
    assert Message.objects.filter(session__identity=good.stem).count() == 2
    assert report.failed == 0
