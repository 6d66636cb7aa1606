"""Everything parsed again from the raw record, long after the files have gone."""

from __future__ import annotations

import json
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from sessions_app.agents.claude_code import ClaudeCode
from sessions_app.ingest.rebuild import rebuild
from sessions_app.models import AgentSession, Message, RawFile, StatusChange, ToolCall, User
from tests.dump import all_rows, assert_same, dump
from tests.factories import make_message
from tests.ingest.conftest import Read
from tests.ingest.talks import Talk, subagent, write_subagent
from tests.invariants import check_invariants

pytestmark = pytest.mark.django_db

SAMPLES = Path(__file__).parents[1] / "agents" / "samples"
CASES = sorted(path.parent for path in SAMPLES.glob("*/*/expected.json"))


def ids() -> dict[str, tuple[int, str]]:
    return {
        f"{row.session_id} {row.key}": (row.pk, str(row.received_at))
        for row in Message.objects.all()
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_a_sample_is_parsed_again_to_the_same(case: Path, read: Read, tmp_path: Path) -> None:
    inside = "home" if (case / "home").is_dir() else "files"
    home = shutil.copytree(case / inside, tmp_path / inside)
    read(home, sources={case.parent.name})
    shutil.rmtree(home)
    before, rows = dump(), all_rows()
    found = rebuild(check=True)
    assert (found.changed, found.problems) == ([], [])
    assert all_rows() == rows
    assert found.sessions > 0

    done = rebuild()
    assert (done.changed, done.problems) == ([], [])
    assert_same(dump(), before)
    check_invariants()


def damage() -> None:
    ToolCall.objects.all().delete()
    Message.objects.filter(seq=1).update(text="Something else", role="system")
    AgentSession.objects.update(prompt="Not this", message_count=77)


def test_what_was_damaged_is_found_and_put_right(read: Read, tmp_path: Path) -> None:
    talk = Talk("aaaaaaaa").turns(3).calls("toolu_1")
    talk.write(tmp_path)
    write_subagent(talk, subagent(talk, "one", "toolu_1"), tmp_path, "toolu_1")
    Talk("bbbbbbbb").turns(2).write(tmp_path)
    read()
    right, places = dump(), ids()
    damage()
    wrong = all_rows()
    assert len(rebuild(check=True).changed) == 3
    assert all_rows() == wrong
    assert len(rebuild().changed) == 3
    assert_same(dump(), right)
    assert ids() == places
    assert rebuild(check=True).changed == []


def test_forks_and_copies_find_each_other_again(read: Read, tmp_path: Path, teammate: User) -> None:
    parent = Talk("aaaaaaaa").turns(4)
    parent.write(tmp_path)
    parent.fork("bbbbbbbb", at=4, begins=60).turns(1).write(tmp_path)
    read()
    read(owner=teammate, host="laptop")
    right = dump()
    damage()
    rebuild()
    assert_same(dump(), right)


def test_the_next_reading_goes_on_where_the_last_one_was(read: Read, tmp_path: Path) -> None:
    talk = Talk("aaaaaaaa").turns(3)
    talk.write(tmp_path)
    read()
    rebuild()
    report = read()
    assert (report.parsed, report.unchanged) == (0, 1)
    talk.turns(2).write(tmp_path, mtime=1_780_000_700)
    assert read().messages == 4


def test_a_newer_reader_reads_what_is_kept(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Talk("aaaaaaaa").turns(3).write(tmp_path)
    read()
    path.unlink()
    monkeypatch.setattr(ClaudeCode, "version", ClaudeCode.version + 1)
    right = dump()
    damage()
    rebuild()
    assert_same(dump(), right)


def test_messages_that_are_in_no_file_are_never_lost(read: Read, tmp_path: Path) -> None:
    Talk("aaaaaaaa").turns(3).write(tmp_path)
    read()
    session = AgentSession.objects.get()
    make_message(session, "said through the API", seq=session.last_seq + 1, key="api-1")
    before = all_rows()
    done = rebuild()
    assert [item.path for item in done.problems] == [session.short_id]
    assert all_rows() == before


def test_a_status_that_a_person_set_stays_and_the_trash_keeps_its_own(
    read: Read, tmp_path: Path, owner: User
) -> None:
    Talk("aaaaaaaa").turns(3).write(tmp_path)
    read()
    now = timezone.now()
    AgentSession.objects.update(
        status="error", ended_at=now, trashed_at=now, title="", title_rank=0
    )
    session = AgentSession.objects.get()
    StatusChange.objects.create(session=session, status="error", at=now, actor=owner, reason="me")
    rebuild()
    session.refresh_from_db()
    assert (session.status, session.ended_at, session.trashed_at) == ("error", now, now)
    assert StatusChange.objects.filter(session=session).last().reason == "me"  # type: ignore[union-attr]


@pytest.mark.parametrize("path", ["../../etc/x.jsonl", "/a/../../x.jsonl", "relative.jsonl"])
def test_a_path_that_leads_out_is_not_followed(read: Read, tmp_path: Path, path: str) -> None:
    Talk("aaaaaaaa").turns(1).write(tmp_path)
    read()
    RawFile.objects.update(path=path)
    before = all_rows()
    assert len(rebuild().problems) == 1
    assert all_rows() == before


def told(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("rebuild", *arguments, "--json", stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def test_the_command_tells_what_differs_and_by_its_exit_code(read: Read, tmp_path: Path) -> None:
    Talk("aaaaaaaa").turns(3).calls("toolu_1").write(tmp_path)
    read()
    short_id = AgentSession.objects.get().short_id
    assert told("--check")["parse"] == {"files": 1, "sessions": 1, "changed": []}
    damage()
    with pytest.raises(SystemExit) as stop:
        told("--parse", "--check")
    assert stop.value.code == 1
    answer = told()
    assert answer["parse"]["changed"] == [short_id]
    assert (answer["usage"]["repriced"], answer["usage"]["sessions_changed"]) == (0, 0)
    assert answer["usage"]["before"] == answer["usage"]["after"]
    out = StringIO()
    call_command("rebuild", "--check", stdout=out)
    assert "1 sessions of 1 files, 0 differ" in out.getvalue()
    assert "Nothing was written." in out.getvalue()


def test_what_is_left_out_is_listed(read: Read, tmp_path: Path) -> None:
    Talk("aaaaaaaa").turns(1).write(tmp_path)
    read()
    RawFile.objects.update(path="../x")
    assert len(told("--parse")["problems"]) == 1
    with pytest.raises(SystemExit) as stop:
        told("--parse", "--strict")
    assert stop.value.code == 1
