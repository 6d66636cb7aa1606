"""Statuses that follow from the file, from silence and from running processes."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sessions_app.actions.lifecycle import settle_live, settle_quiet
from sessions_app.ingest.settle import settle
from sessions_app.models import AgentSession, User
from tests.ingest.conftest import Read
from tests.ingest.talks import Talk
from tests.invariants import check_invariants

pytestmark = pytest.mark.django_db

LATER = timedelta(minutes=31)


def just_now(turns: int = 2) -> Talk:
    """A talk that is going on; its last turn ended."""
    talk = Talk("aaaaaaaa")
    talk.now = datetime.now(UTC) - timedelta(minutes=10)
    return talk.turns(turns)


def ended(talk: Talk, how: str) -> Talk:
    """The last turn ends like this."""
    if how == "open":
        talk.calls("t1").lines.pop()
    elif how == "failed":
        talk.turns(1)
        talk.lines[-1]["message"] |= {"model": "<synthetic>"}
        talk.lines[-1]["isApiErrorMessage"] = True
    elif how == "aborted":
        talk.turns(1)
        talk.lines.pop()
        talk.lines[-1]["message"]["content"] = "[Request interrupted by user]"
    return talk


def session() -> AgentSession:
    return AgentSession.objects.get()


def history() -> list[tuple[str, str]]:
    return list(session().status_changes.values_list("status", "reason"))


STATUSES = [("ended", "completed"), ("open", "crashed"), ("failed", "error"), ("aborted", "paused")]


@pytest.mark.parametrize(("how", "status"), STATUSES)
def test_a_fresh_file_is_active_until_it_falls_silent(
    tmp_path: Path, read: Read, how: str, status: str
) -> None:
    ended(just_now(), how).write(tmp_path)
    read(home=tmp_path)
    assert session().status == ("error" if how == "failed" else "active")
    settle_quiet(datetime.now(UTC) + LATER)
    check_invariants()
    assert session().status == status
    assert settle_quiet(datetime.now(UTC) + LATER) == 0
    assert history()[-1][0] == status
    assert all(reason for _, reason in history())
    is_over = status != "paused"
    assert session().ended_at == (session().last_active if is_over else None)


@pytest.mark.parametrize(("how", "status"), STATUSES)
def test_an_old_file_gets_its_end_at_once(
    tmp_path: Path, read: Read, how: str, status: str
) -> None:
    ended(Talk("aaaaaaaa").turns(2), how).write(tmp_path)
    read(home=tmp_path)
    assert [item for item, _ in history()] == [status]


@pytest.mark.parametrize("how", ["ended", "open", "failed", "aborted"])
def test_new_lines_open_it_again(tmp_path: Path, read: Read, how: str) -> None:
    talk = ended(Talk("aaaaaaaa").turns(1), how)
    talk.write(tmp_path)
    read(home=tmp_path)
    before = session().status
    talk.now = datetime.now(UTC) - timedelta(minutes=1)
    talk.turns(1).write(tmp_path)
    read(home=tmp_path)
    assert (session().status, session().ended_at) == ("active", None)
    assert [status for status, _ in history()] == [before, "active"]


def registry(home: Path, talk: Talk, pid: int) -> None:
    """What Claude Code notes of a running process, and leaves behind when it is killed."""
    path = home / ".claude" / "sessions" / f"{pid}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    noted = int(datetime.now(UTC).timestamp() * 1000)
    path.write_text(json.dumps({"pid": pid, "sessionId": talk.name, "startedAt": noted}))


def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_dead_process_with_an_open_turn_has_crashed_at_once(tmp_path: Path, read: Read) -> None:
    talk = ended(just_now(), "open")
    talk.write(tmp_path)
    registry(tmp_path, talk, dead_pid())
    read(home=tmp_path, paths=None)
    assert history() == [
        ("active", "lines in the last 30 minutes"),
        ("crashed", "its process is gone and the last turn never ended"),
    ]
    talk.turns(1).write(tmp_path)  # somebody resumed it
    read(home=tmp_path, paths=None)
    assert session().status == "active"


def test_a_dead_process_whose_turn_ended_is_only_over(tmp_path: Path, read: Read) -> None:
    talk = just_now()
    talk.write(tmp_path)
    registry(tmp_path, talk, dead_pid())
    read(home=tmp_path, paths=None)
    assert session().status == "active"


@pytest.mark.parametrize("how", ["ended", "open", "aborted"])
def test_a_living_process_waits_for_its_user(tmp_path: Path, read: Read, how: str) -> None:
    talk = ended(Talk("aaaaaaaa").turns(2), how)
    talk.write(tmp_path)
    registry(tmp_path, talk, os.getpid())
    for _ in range(3):
        read(home=tmp_path, paths=None)
        assert session().status == "active"
    assert history()[-1] == ("active", "its process is running")
    assert len(history()) == 2
    (tmp_path / ".claude" / "sessions" / f"{os.getpid()}.json").unlink()
    read(home=tmp_path, paths=None)
    assert session().status in ("completed", "crashed", "paused")


def test_somebody_elses_session_is_not_settled_by_this_registry(
    tmp_path: Path, read: Read, teammate: User
) -> None:
    ended(just_now(), "open").write(tmp_path)
    read(home=tmp_path)
    live = {session().identity: False}
    now = datetime.now(UTC)
    assert settle_live(live, backend="claude", collector=teammate, now=now) == 0
    assert settle_live(live, backend="codex", collector=session().collector, now=now) == 0
    assert settle_live({}, backend="claude", collector=session().collector, now=now) == 0
    assert settle_live(live, backend="claude", collector=session().collector, now=now) == 1


def test_more_than_one_batch_falls_silent(
    tmp_path: Path, read: Read, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions_app.actions.lifecycle.BATCH", 2)
    for number in range(5):
        talk = Talk(f"aaaaaaa{number}")
        talk.now = datetime.now(UTC) - timedelta(minutes=10)
        talk.turns(1).write(tmp_path)
    read(home=tmp_path)
    assert settle(owner, tmp_path, datetime.now(UTC) + LATER) == 5
    check_invariants()


def test_what_changed_meanwhile_is_left_alone(tmp_path: Path, read: Read, monkeypatch: Any) -> None:
    """New lines were stored between looking and settling: the session is not quiet any more."""
    just_now().write(tmp_path)
    read(home=tmp_path)
    from sessions_app.actions import lifecycle

    stale = session()
    AgentSession.objects.update(last_active=datetime.now(UTC))
    assert lifecycle._move(stale, "completed", "quiet", datetime.now(UTC)) == 0
    assert session().status == "active"
