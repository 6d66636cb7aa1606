"""What was deleted here stays deleted until its file changes and somebody asks for it."""

from __future__ import annotations

import time
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from sessions_app.actions.trash import trash_session
from sessions_app.models import AgentSession, AuditEntry, Message, RawFile, User
from tests.agents.opencode import Store, text
from tests.ingest.conftest import Read
from tests.ingest.talks import Talk
from tests.invariants import check_invariants, raw_bytes

pytestmark = pytest.mark.django_db


@pytest.fixture
def talk(read: Read, tmp_path: Path, owner: User) -> Talk:
    """A session of two turns, in the trash; another one is not."""
    talk = Talk("aaaaaaaa").turns(2)
    talk.write(tmp_path)
    Talk("bbbbbbbb").turns(1).write(tmp_path)
    read()
    trash(talk.name, owner)
    return talk


def trash(identity: str, owner: User) -> None:
    session = AgentSession.objects.get(identity=identity)
    trash_session(session, by=owner, now=timezone.now())
    time.sleep(0.05)  # a file's time of change is only so exact


def in_trash() -> set[str]:
    rows = AgentSession.objects.exclude(trashed_at=None)
    return set(rows.values_list("identity", flat=True))


def grown(talk: Talk, home: Path) -> Path:
    return talk.turns(1).write(home, mtime=1_780_000_900)


def test_no_reading_brings_an_unchanged_one_back(read: Read, talk: Talk, tmp_path: Path) -> None:
    for wish in ({}, {"full": True}):
        read(**wish)
        assert in_trash() == {talk.name}
    read(tmp_path / ".claude", full=True)
    assert in_trash() == {talk.name}


def test_a_changed_one_stays_in_the_trash_and_loses_nothing(
    read: Read, talk: Talk, tmp_path: Path
) -> None:
    path = grown(talk, tmp_path)
    report = read()
    assert report.messages == 2
    read(paths=None, full=True)  # nobody named it
    assert in_trash() == {talk.name}
    assert raw_bytes(RawFile.objects.get(path=str(path))) == path.read_bytes()
    assert Message.objects.filter(session__identity=talk.name).count() == 6


def test_a_changed_one_comes_back_to_who_names_it(read: Read, talk: Talk, tmp_path: Path) -> None:
    ids = set(Message.objects.values_list("pk", flat=True))
    path = grown(talk, tmp_path)
    report = read(path, full=True)
    assert (in_trash(), report.restored) == (set(), 1)
    assert ids < set(Message.objects.values_list("pk", flat=True))
    assert AuditEntry.objects.filter(action="session.restore").count() == 1
    assert read(path, full=True).restored == 0


def test_what_was_read_meanwhile_still_counts_as_news(
    read: Read, talk: Talk, tmp_path: Path
) -> None:
    path = grown(talk, tmp_path)
    read()
    assert read(path, full=True).restored == 1


def test_looking_only_brings_nothing_back(read: Read, talk: Talk, tmp_path: Path) -> None:
    path = grown(talk, tmp_path)
    read(path, full=True, dry_run=True)
    assert in_trash() == {talk.name}


def test_a_name_that_is_taken_is_told(read: Read, talk: Talk, tmp_path: Path, owner: User) -> None:
    AgentSession.objects.filter(identity=talk.name).update(name="mine")
    AgentSession.objects.exclude(identity=talk.name).update(name="mine")
    path = grown(talk, tmp_path)
    report = read(path, full=True)
    assert report.restored == 0
    assert [problem.path for problem in report.problems] == [str(path)]
    assert in_trash() == {talk.name}


def test_of_a_database_only_the_session_that_went_on_comes_back(
    read: Read, tmp_path: Path, owner: User
) -> None:
    store = Store(tmp_path / ".local" / "share" / "opencode")
    for number in (1, 2):
        store.session(f"ses_{number}")
        store.prompt(f"msg_{number}0", "Hi", to=f"ses_{number}")
        store.answer(f"msg_{number}1", text("Hello"), to=f"ses_{number}")
    read()
    before = timezone.now().replace(year=2020)
    AgentSession.objects.update(trashed_at=before, last_active=before, created_at=before)
    AgentSession.objects.filter(identity="ses_2").update(trashed_at=timezone.now())
    store.prompt("msg_13", "More", to="ses_1")
    read(tmp_path / ".local", full=True)
    assert in_trash() == {"ses_2"}


def test_the_command_tells_what_came_back(talk: Talk, tmp_path: Path, owner: User) -> None:
    out = StringIO()
    path = str(grown(talk, tmp_path))
    call_command("ingest_sessions", path, "--full", "--owner", "owner", "--jobs", "0", stdout=out)
    assert "1 came back from the trash" in out.getvalue()
    check_invariants()
