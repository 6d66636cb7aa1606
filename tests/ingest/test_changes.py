"""What is read again and what is not, and what becomes of what was stored."""

from __future__ import annotations

import os
import re
import shutil
import time
from itertools import count
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sessions_app.agents.claude_code import ClaudeCode
from sessions_app.ingest import worker
from sessions_app.ingest.report import Report
from sessions_app.ingest.run import Wish, ingest
from sessions_app.models import (
    AgentSession,
    IngestProblem,
    IngestRun,
    Message,
    RawFile,
    RawPart,
    Usage,
    User,
)
from tests.dump import all_rows, assert_same, dump
from tests.ingest.conftest import Read
from tests.ingest.talks import Talk, subagent, write_subagent
from tests.invariants import raw_bytes

pytestmark = pytest.mark.django_db

SAMPLES = Path(__file__).parents[1] / "agents" / "samples"
CASES = sorted(path.parent for path in SAMPLES.glob("*/*/expected.json"))
WRITE = re.compile(r"\s*(INSERT|UPDATE|DELETE|REPLACE)", re.IGNORECASE)
LATER = 1_780_000_100


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a few kilobytes is read in several parts, batches and transactions."""
    monkeypatch.setattr("sessions_app.agents.claude_code.PART_SIZE", 1500)
    monkeypatch.setattr(worker, "BATCH", 2000)


def talk_of(name: str = "aaaaaaaa", turns: int = 10) -> Talk:
    return Talk(name).turns(turns)


def ids() -> dict[str, int]:
    return dict(Message.objects.values_list("key", "pk"))


def test_a_second_run_parses_nothing_and_writes_nothing(tmp_path: Path, read: Read) -> None:
    """Every sample of every agent at once."""
    for case in CASES:
        inside = case / "home" if (case / "home").is_dir() else case / "files"
        shutil.copytree(inside, tmp_path / case.parent.name / case.name / inside.name)
    first = read(checked=False)
    assert first.parsed > 100
    before = all_rows()
    with CaptureQueriesContext(connection) as queries:
        second = read(checked=False)
    assert (second.seen, second.unchanged) == (first.seen, first.seen)
    assert (second.parsed, second.failed, second.messages) == (0, 0, 0)
    assert all_rows() == before
    assert [query["sql"] for query in queries if WRITE.match(query["sql"])] == []


def test_a_touched_file_changes_no_conversation(tmp_path: Path, read: Read) -> None:
    path = talk_of().write(tmp_path)
    read()
    before = dump()
    os.utime(path, (LATER, LATER))
    report = read()
    assert (report.parsed, report.messages) == (1, 0)
    assert_same(dump()["sessions"], before["sessions"])


@pytest.mark.parametrize("fate", ["emptied", "gone"])
def test_a_file_that_its_agent_takes_away_takes_nothing_away_here(
    tmp_path: Path, read: Read, fate: str
) -> None:
    talk = talk_of()
    path = talk.write(tmp_path)
    read()
    before = all_rows()
    path.unlink() if fate == "gone" else path.write_bytes(b"")
    assert read().parsed == 0
    assert all_rows() == before
    talk.turns(1).write(tmp_path)  # it comes back, and has grown
    assert read().messages == 2


def rewritten(talk: Talk) -> dict[str, bytes]:
    data = talk.data()
    return {
        "another head": b'{"type":"summary","summary":"Short","leafUuid":"x"}\n' + data,
        "shorter": talk.data(len(talk.lines) - 5),
        "same size": data.replace(b"Answer", b"Anders"),
        "another end": data.replace(b"Answer 18", b"Ending 18"),
    }


@pytest.mark.parametrize("way", rewritten(talk_of()))
def test_a_rewritten_file_replaces_its_conversation(
    tmp_path: Path, read: Read, way: str, owner: User, teammate: User
) -> None:
    talk = talk_of()
    path = talk.write(tmp_path)
    read()
    old, before, usage = path.read_bytes(), ids(), Usage.objects.count()
    path.write_bytes(rewritten(talk)[way])
    os.utime(path, (LATER, LATER))
    read()
    assert ids() == {key: pk for key, pk in before.items() if key in ids()}
    assert Message.objects.count() == (15 if way == "shorter" else 20)
    assert Usage.objects.count() == usage  # what was billed stays billed
    file = RawFile.objects.get()
    assert (raw_bytes(file, 1), raw_bytes(file)) == (old, path.read_bytes())
    assert file.generation == 2
    read(owner=teammate)  # who has never seen it before
    found = dump()["sessions"].items()
    again, anew = (
        [item["messages"] for name, item in found if name.startswith(f"{who}/")]
        for who in (owner, teammate)
    )
    assert_same(again, anew)


@pytest.mark.parametrize("why", ["full", "version"])
def test_reading_everything_again_gives_the_same_with_the_same_ids(
    tmp_path: Path, read: Read, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for case in CASES:
        if case.parent.name in ("claude-code", "codex", "clinvk", "sessions-dir"):
            inside = case / "home" if (case / "home").is_dir() else case / "files"
            shutil.copytree(inside, tmp_path / case.parent.name / case.name / inside.name)
    read(checked=False)
    before, keys = dump(), dict(Message.objects.values_list("pk", "key"))
    shorts = dict(AgentSession.objects.values_list("pk", "short_id"))
    if why == "version":
        monkeypatch.setattr(ClaudeCode, "version", ClaudeCode.version + 1)
    report = read(full=why == "full")
    assert report.parsed > 10
    assert dict(Message.objects.values_list("pk", "key")) == keys
    assert dict(AgentSession.objects.values_list("pk", "short_id")) == shorts
    after = dump()
    if why == "version":
        for file in [*before["files"].values(), *after["files"].values()]:
            file["reader_version"] = 0
    assert_same(after, before)
    assert read().parsed == 0


def test_reading_a_rewritten_file_again_keeps_its_old_bytes(tmp_path: Path, read: Read) -> None:
    path = talk_of().write(tmp_path)
    read()
    old = path.read_bytes()
    path.write_bytes(talk_of(turns=3).data().replace(b"Question", b"Frage"))
    read(full=True)
    read(full=True)
    file = RawFile.objects.get()
    assert (file.generation, raw_bytes(file, 1), raw_bytes(file)) == (2, old, path.read_bytes())


@pytest.mark.usefixtures("small_parts")
class TestInSeveralParts:
    """Parts of one file in several batches and transactions."""

    def test_the_result_is_that_of_one_part(
        self, tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        parent = talk_of(turns=20)
        parent.write(tmp_path)
        write_subagent(parent, subagent(parent, "a1", "t1").turns(20), tmp_path, "t1")
        report = read()
        assert (report.parsed, report.messages) == (2, 82)
        in_parts, keys = dump(), ids()
        monkeypatch.undo()
        read(full=True)
        assert_same(dump(), in_parts)
        assert ids() == keys

    def test_ids_stay_when_it_is_read_again(self, tmp_path: Path, read: Read) -> None:
        talk_of(turns=20).write(tmp_path)
        read()
        before, keys = dump(), ids()
        read(full=True)
        assert_same(dump(), before)
        assert ids() == keys

    def test_a_replacement_that_stops_leaves_the_old_conversation(
        self, tmp_path: Path, read: Read, owner: User
    ) -> None:
        path = talk_of(turns=20).write(tmp_path)
        read()
        before = dump()
        path.write_bytes(path.read_bytes().replace(b"Answer", b"Replies"))
        with pytest.raises(KeyboardInterrupt):
            read_until(owner, tmp_path, 2)
        assert_same(dump(), before)
        assert list(IngestRun.objects.values_list("status", flat=True)) == ["stopped", "done"]
        read()
        assert Message.objects.filter(text__startswith="Replies").count() == 20

    def test_a_first_reading_that_stops_goes_on_where_it_was(
        self, tmp_path: Path, read: Read, owner: User
    ) -> None:
        path = talk_of(turns=20).write(tmp_path)
        with pytest.raises(KeyboardInterrupt):
            read_until(owner, tmp_path, 2)
        file = RawFile.objects.get()
        assert 0 < file.offset < path.stat().st_size
        assert IngestRun.objects.get().status == "stopped"
        report = read()
        assert report.bytes < path.stat().st_size
        assert Message.objects.count() == 40
        assert raw_bytes(RawFile.objects.get()) == path.read_bytes()


@pytest.mark.parametrize("is_more", [False, True])
def test_a_killed_run_does_not_seem_to_run_for_ever(
    tmp_path: Path, read: Read, is_more: bool
) -> None:
    talk = talk_of()
    talk.write(tmp_path, upto=12)
    read()
    IngestRun.objects.update(status="running", ended_at=None)  # as a kill leaves it
    read(dry_run=True)
    assert IngestRun.objects.get().status == "running"
    talk.write(tmp_path, upto=20 if is_more else 12)
    read()
    found = list(IngestRun.objects.order_by("pk").values_list("status", flat=True))
    assert found == ["stopped", "done"][: 1 + is_more]


def read_until(owner: User, home: Path, batches: int) -> None:
    """A run that somebody stops after so many batches."""
    seen = count()

    def stop(report: Report, done: int, total: int) -> None:
        if next(seen) + 1 == batches:
            raise KeyboardInterrupt

    ingest(Wish(owner=owner, home=home, paths=[home], jobs=0), stop)


def test_a_session_that_two_files_tell_is_replaced_from_both(tmp_path: Path, read: Read) -> None:
    """A project folder was copied; then one of the two logs was rewritten."""
    short, long = talk_of(turns=2), talk_of(turns=4)
    long.write(tmp_path / "one", mtime=1_780_000_000)
    path = short.write(tmp_path / "two", mtime=1_780_000_001)
    read()
    assert Message.objects.count() == 8
    path.write_bytes(path.read_bytes().replace(b"Question", b"Request"))
    os.utime(path, (LATER, LATER))
    read()
    assert Message.objects.count() == 8
    read(full=True)
    assert (AgentSession.objects.count(), Message.objects.count()) == (1, 8)


def test_a_copy_whose_lines_have_no_ids_adds_nothing_to_other_lines(
    tmp_path: Path, read: Read
) -> None:
    for name, word in (("one", "first"), ("two", "second")):
        folder = tmp_path / name / "shared0"
        folder.mkdir(parents=True)
        (folder / "metadata.json").write_text('{"id": "shared0", "created_at": "2026-01-01"}')
        line = '{"role": "user", "content": "%s", "timestamp": "2026-01-01T10:00:00"}\n'
        (folder / "messages.jsonl").write_text(line % word)
        read(tmp_path / name)
    assert list(Message.objects.values_list("text", flat=True)) == ["first"]


def test_a_failed_file_is_tried_again_when_it_or_its_mode_or_its_reader_changes(
    tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ".claude" / "projects" / "p"
    folder.mkdir(parents=True)
    path = folder / "bad.jsonl"
    path.write_text("no JSON\n")
    assert (read().failed, read().failed) == (1, 0)
    time.sleep(0.02)  # the clock that stamps files ticks every 4 ms
    path.chmod(0o640)
    assert (read().failed, read().failed) == (1, 0)
    monkeypatch.setattr(ClaudeCode, "version", ClaudeCode.version + 1)
    assert (read().failed, read().failed) == (1, 0)
    path.write_bytes(path.read_bytes() + talk_of().data())
    assert (read().failed, read().unchanged) == (0, 1)
    assert Message.objects.count() == 20
    assert IngestProblem.objects.get().line == 1


def test_a_reading_that_fails_forgets_nothing(tmp_path: Path, read: Read) -> None:
    talk = talk_of()
    path = talk.write(tmp_path)
    read()
    before = ids()
    path.rename(tmp_path / "aside")
    path.mkdir()
    assert read().parsed == 0
    path.rmdir()
    (tmp_path / "aside").rename(path)
    talk.turns(1).write(tmp_path)
    assert read().messages == 2
    assert before.items() <= ids().items()


def test_names_from_a_side_file_reach_sessions_that_come_later(tmp_path: Path, read: Read) -> None:
    """Codex keeps the names of its threads in one file, which may be older than the threads."""
    case = next(path for path in CASES if path.name == "archive-and-index")
    home = shutil.copytree(case / "home", tmp_path / "home")
    for path in home.rglob("*"):
        os.utime(path, (LATER, LATER))
    [index] = home.rglob("session_index.jsonl")
    os.utime(index, (1, 1))
    read(home, home=home)
    titles = dict(AgentSession.objects.values_list("identity", "title"))
    assert any(titles.values())
    AgentSession.objects.all().delete()
    RawFile.objects.exclude(path=str(index)).delete()
    read(home, home=home)
    assert dict(AgentSession.objects.values_list("identity", "title")) == titles


def test_many_small_appends_end_in_few_chunks(tmp_path: Path, read: Read) -> None:
    talk = talk_of(turns=60)
    for upto in range(4, len(talk.lines) + 1, 4):
        path = talk.write(tmp_path, upto)
        read(checked=False)
    read()
    assert RawPart.objects.count() == 1
    assert raw_bytes(RawFile.objects.get()) == path.read_bytes()
