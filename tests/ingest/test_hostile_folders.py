"""Session folders and archives that try to break the ingest, and what of it reaches people."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from sessions_app.agents.resume import resume_command
from sessions_app.ingest.upload import Uploaded, upload
from sessions_app.models import AgentSession, IngestProblem, User
from tests.ingest.conftest import Read
from tests.invariants import check_invariants

pytestmark = pytest.mark.django_db

HOSTILE = Path(__file__).parents[1] / "hostile"
RAW = "\x07\x08\x1b\x9b\x9d\r"  # what moves a cursor, rings, or begins an order to a terminal


def laid_out(name: str, home: Path) -> Path:
    folder = home / ".kimi" / "sessions"
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copytree(HOSTILE / name, folder, dirs_exist_ok=True))


def send(by: User, name: str, data: bytes) -> Uploaded:
    return upload([SimpleUploadedFile(name, data)], by=by)


def session(identity: str) -> AgentSession:
    return AgentSession.objects.get(identity__contains=identity)


def test_the_latest_usable_snapshot_is_found_by_number(tmp_path: Path, read: Read) -> None:
    laid_out("30_snapshots", tmp_path)
    report = read()
    steps = AgentSession.objects.get().snapshots.order_by("step")
    assert [(item.step, bool(item.problem)) for item in steps] == [
        (2, False), (4, False), (10, False), (11, True),
    ]  # fmt: skip
    assert [Path(item.path).name for item in report.problems] == ["step_11.json"]


def test_a_broken_folder_costs_its_neighbour_nothing(tmp_path: Path, read: Read) -> None:
    laid_out("31_corrupt", tmp_path)
    read()
    assert session("fine").message_count == 2
    broken = session("broken")
    assert broken.message_count == 4
    assert broken.metadata["rebuilt"]
    assert IngestProblem.objects.filter(path__contains="broken").exists()
    assert read().parsed == 0


@pytest.mark.parametrize("how", ["folder", "upload"])
def test_a_growing_file_gives_each_message_once(
    tmp_path: Path, read: Read, owner: User, how: str
) -> None:
    folder = tmp_path / ".kimi" / "sessions" / "growing"
    folder.mkdir(parents=True)
    for number, count in ((1, 4), (2, 5), (2, 5)):
        data = (HOSTILE / "32_growing" / f"{number}.jsonl").read_bytes()
        if how == "upload":
            send(owner, "messages.jsonl", data)
        else:
            (folder / "messages.jsonl").write_bytes(data)
            read()
        assert AgentSession.objects.get().message_count == count
    texts = list(AgentSession.objects.get().messages.order_by("seq").values_list("text", flat=True))
    assert texts == [f"消息 {number}" for number in range(5)]


def test_a_good_archive_gives_all_it_holds(owner: User) -> None:
    done = send(owner, "25_good.zip", (HOSTILE / "25_good.zip").read_bytes())
    found = AgentSession.objects.get()
    assert (found.message_count, found.snapshots.count(), found.artifacts.count()) == (3, 1, 1)
    assert done.problems == []
    check_invariants()


@pytest.mark.parametrize("name, bad", [("20_slip", 2), ("21_symlink", 1)])
def test_a_bad_entry_is_named_and_the_good_session_read(owner: User, name: str, bad: int) -> None:
    done = send(owner, f"{name}.zip", (HOSTILE / f"{name}.zip").read_bytes())
    assert len(done.problems) == bad
    assert all("refused" in problem.reason for problem in done.problems)
    assert AgentSession.objects.get().artifacts.count() == 1


@pytest.fixture
def codex(tmp_path: Path, read: Read) -> Any:
    """One of the hostile logs, read."""

    def run(name: str) -> AgentSession:
        [source] = HOSTILE.glob(f"{name}*_codex.jsonl")
        shutil.copy(source, tmp_path)
        read()
        return AgentSession.objects.get()

    return run


@pytest.mark.parametrize("name", ["01", "02", "03", "04", "05", "06", "07", "08", "09", "10"])
def test_no_order_to_a_terminal_reaches_page_or_terminal(
    codex: Any, owner_client: Client, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = codex(name)
    page = reverse("session_detail", args=[found.short_id])
    for address in (page, "/sessions/", "/ingest/", f"{page}?system=1", f"{page}outline/"):
        response = owner_client.get(address)
        assert response.status_code == 200
        assert not set(RAW) & set(response.content.decode()), address
    for call in found.calls.all():
        shown = owner_client.get(f"{page}calls/{call.pk}/").content.decode()
        assert not set(RAW) & set(shown)
    call_command("show_session", found.short_id)
    call_command("list_sessions")
    call_command("show_session", found.short_id, json=True)
    assert not set(RAW) & set(capsys.readouterr().out)


def test_the_resume_command_runs_nothing_of_the_session(codex: Any, tmp_path: Path) -> None:
    found = codex("09")
    command = resume_command(found, "; touch /tmp/resume_marker #")
    marker = Path("/tmp/resume_marker")
    assert not marker.exists()
    if command is not None:
        # The agent itself is not here: what a shell makes of the words is what counts.
        subprocess.run(["sh", "-c", f"codex() {{ :; }}; {command}"], cwd=tmp_path, check=False)
    assert not marker.exists()


def test_credentials_beside_sessions_are_never_opened(tmp_path: Path, read: Read) -> None:
    laid_out("31_corrupt", tmp_path)
    secrets = [
        tmp_path / ".codex" / "auth.json", tmp_path / ".claude" / ".credentials.json",
        tmp_path / ".gemini" / "oauth_creds.json", tmp_path / ".qwen" / "oauth_creds.json",
        tmp_path / ".local" / "share" / "opencode" / "auth.json",
        tmp_path / ".kimi" / "credentials" / "kimi.json", tmp_path / ".kimi" / "config.toml",
    ]  # fmt: skip
    for path in secrets:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"access_token": "hunter2hunter2"}')
    before = [path.stat().st_atime_ns for path in secrets]
    read(paths=None, home=tmp_path)
    assert [path.stat().st_atime_ns for path in secrets] == before
    from tests.dump import dump

    assert "hunter2" not in str(dump())
