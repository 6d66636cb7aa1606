"""`ingest_sessions` and `detect_crashes`, as people and programs call them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from sessions_app.models import AgentSession, IngestRun, Project, User
from tests.dump import all_rows
from tests.factories import make_project
from tests.ingest.talks import Talk

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("boss", "boss@example.com")


def run(*arguments: object) -> tuple[str, int]:
    """What the command prints and its exit code."""
    out, err = StringIO(), StringIO()
    code = 0
    try:
        call_command("ingest_sessions", *map(str, arguments), stdout=out, stderr=err)
    except SystemExit as error:
        code = int(error.code or 0)
    except CommandError as error:
        return str(error), error.returncode
    return out.getvalue(), code


def facts(*arguments: object) -> dict[str, Any]:
    text, code = run("--json", *arguments)
    assert code == 0, text
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.usefixtures("boss")
def test_programs_get_the_facts_of_the_contract(home: Path) -> None:
    Talk("aaaaaaaa").turns(2).write(home)
    bad = Talk("bbbbbbbb").turns(1).write(home)
    bad.write_bytes(b"{oops\n" + bad.read_bytes())
    found = facts()
    assert found.pop("seconds") > 0
    assert found.pop("bytes") > 1000
    [problem] = found.pop("problems")
    assert (problem["path"], problem["line"]) == (str(bad), 1)
    assert set(problem) == {"path", "line", "reason"}
    assert found == {
        "files": {"seen": 2, "unchanged": 0, "parsed": 2, "failed": 0},
        "sessions": {"created": 2, "updated": 0},
        "messages": 6,
    }
    again = facts()
    assert again["files"] == {"seen": 2, "unchanged": 2, "parsed": 0, "failed": 0}
    assert again["problems"] == []


@pytest.mark.usefixtures("boss")
def test_people_get_a_sentence_and_what_was_skipped(home: Path) -> None:
    bad = Talk("aaaaaaaa").turns(1).write(home).with_name("b\x1b[2J\n.jsonl")
    bad.write_bytes(b"no\n")
    text, code = run()
    assert code == 0
    assert text.startswith("2 files: 1 read, 0 unchanged, 1 failed. 1 new sessions, 0 updated")
    assert "skipped" in text
    assert "\x1b" not in text  # a name is not the terminal's master
    assert len(text.splitlines()) == 2
    assert run("--quiet")[0] == ""


@pytest.mark.usefixtures("boss")
def test_strict_tells_by_its_exit_code_that_something_was_skipped(home: Path) -> None:
    path = Talk("aaaaaaaa").turns(1).write(home)
    assert run("--strict")[1] == 0
    path.write_bytes(path.read_bytes() + b"{oops\n")
    assert run("--strict")[1] == 1
    assert run("--strict")[1] == 0  # it was told; nothing new is wrong


@pytest.mark.usefixtures("boss")
def test_a_dry_run_reads_everything_and_writes_nothing(home: Path) -> None:
    Talk("aaaaaaaa").turns(2).write(home)
    before = all_rows()
    found = facts("--dry-run")
    assert (found["files"]["parsed"], found["messages"]) == (1, 4)
    assert all_rows() == before
    assert facts()["sessions"]["created"] == 1
    run_row = IngestRun.objects.get()
    assert (run_row.status, run_row.files_parsed, run_row.messages) == ("done", 1, 4)
    facts()
    assert IngestRun.objects.count() == 1  # a run that finds nothing leaves no row


def test_owner_project_source_and_paths(home: Path, boss: User, owner: User) -> None:
    given = make_project("given")
    log = Talk("aaaaaaaa").turns(1).write(home / "elsewhere")
    record = home / "elsewhere" / ".clinvk" / "sessions" / "one.json"
    record.parent.mkdir(parents=True)
    record.write_text('{"id": "one", "backend": "claude", "last_used": "2026-01-01T00:00:00Z"}')
    assert facts()["files"]["seen"] == 0
    found = facts(home / "elsewhere", "--source", "claude-code", "--owner", "owner@example.com",
                  "--project", given.key, "--jobs", 0)  # fmt: skip
    assert found["files"]["seen"] == 1
    session = AgentSession.objects.get()
    assert (session.identity, session.owner, session.project) == (log.stem, owner, given)
    link = home / "link.jsonl"
    link.symlink_to(log)
    for path in (log, link, home / "elsewhere" / ".." / log.relative_to(home)):
        assert facts(path, "--full", "--owner", "owner")["files"]["parsed"] == 1
    assert AgentSession.objects.count() == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--owner", "nobody"], "there is no user 'nobody'"),
        (["--project", "nothing"], "no project is called 'nothing'; give its key"),
        (["--project", "twice"], "several projects are called 'twice'; give its key"),
        (["--jobs", "-1"], "--jobs must be 0 or more"),
        (["/nowhere/at/all"], "/nowhere/at/all does not exist"),
        (["/" + "x" * 300], "does not exist"),
    ],
)
@pytest.mark.usefixtures("home", "boss")
def test_a_bad_option_ends_with_a_sentence(arguments: list[str], sentence: str) -> None:
    for number in range(2):
        make_project("twice", key=f"twice-{number}")
    text, code = run(*arguments)
    assert (sentence in text, code) == (True, 2)


@pytest.mark.usefixtures("home")
def test_without_an_admin_it_says_what_to_do() -> None:
    text, code = run()
    assert (code, "there is no admin yet" in text) == (2, True)
    assert not Project.objects.exists()


@pytest.mark.usefixtures("boss")
def test_crashes_are_detected_from_cron(home: Path) -> None:
    talk = Talk("aaaaaaaa")
    talk.now = datetime.now(UTC) - timedelta(minutes=10)
    talk.turns(1).calls("t1").lines.pop()
    talk.write(home)
    facts()
    AgentSession.objects.update(last_active=datetime.now(UTC) - timedelta(minutes=40))
    out = StringIO()
    call_command("detect_crashes", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"changed": 1}
    assert AgentSession.objects.get().status == "crashed"
    out = StringIO()
    call_command("detect_crashes", "--quiet", stdout=out)
    assert out.getvalue() == ""
    call_command("detect_crashes", stdout=out)
    assert out.getvalue() == "0 sessions changed their status.\n"
