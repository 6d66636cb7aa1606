"""What was read from where, and what could not be."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from sessions_app.ingest.notices import stamp
from sessions_app.ingest.upload import uploads_folder
from sessions_app.ingest.watch import wanted_path
from sessions_app.models import IngestProblem, IngestRun, RawFile, User
from tests.factories import NOON
from tests.pages.squeeze import squeezed

INGEST = "/ingest/"
DISMISS = "/ingest/problems/dismiss/"
RETRY = "/ingest/problems/retry/"
HTMX = {"HX-Request": "true"}


def read(client: Client, query: str = "", **headers: str) -> str:
    response = client.get(f"{INGEST}{query}", headers=headers)
    assert response.status_code == 200
    return squeezed(response)


def make_problem(collector: User, **fields: Any) -> IngestProblem:
    plain = {"source": "codex", "path": "/home/a b/x.jsonl", "line": 7, "reason": "not JSON"}
    return IngestProblem.objects.create(collector=collector, seen_at=NOON, **{**plain, **fields})


def make_run(**fields: Any) -> IngestRun:
    now = timezone.now()
    plain = {"status": "done", "host": "laptop", "started_at": now, "heartbeat_at": now}
    return IngestRun.objects.create(**{**plain, **fields})


def test_every_known_agent_is_listed_with_its_folders(owner_client: Client, home: Path) -> None:
    (home / ".codex").mkdir(exist_ok=True)
    page = read(owner_client)
    assert "Claude Code" in page
    assert "<code>~/.codex" in page
    assert str(home) not in page


def test_a_known_folder_that_is_not_there_is_told_so(owner_client: Client, home: Path) -> None:
    (home / ".qwen" / "projects").mkdir(parents=True)
    page = read(owner_client)
    assert "<code>~/.qwen/projects</code></span>" in page
    assert "not found" in page.split("<code>~/.clinvk/sessions</code>")[1][:40]


def test_files_and_bytes_are_those_of_the_reader(
    owner: User, owner_client: Client, stranger_client: Client
) -> None:
    RawFile.objects.create(
        collector=owner, source="codex", host="a", path="/x", raw_size=1_500_000,
        first_read_at=NOON, last_read_at=NOON, failed=True,
    )  # fmt: skip
    assert "1.5 MB" in read(owner_client)
    assert "1.5 MB" not in read(stranger_client)


def test_runs_are_for_staff(admin_client: Client, owner_client: Client) -> None:
    make_run(files_parsed=1234, ended_at=timezone.now() + timedelta(seconds=90))
    page = read(admin_client)
    assert "1,234" in page
    assert "1 min 30 s" in page
    assert "Last runs" not in read(owner_client)
    assert owner_client.get(f"{INGEST}runs/", headers=HTMX).status_code == 404


def test_a_running_run_is_polled_until_it_ends(admin_client: Client) -> None:
    run = make_run(status="running", bytes=25, bytes_todo=100, files_parsed=3, files_todo=12)
    text = squeezed(admin_client.get(f"{INGEST}runs/", headers=HTMX))
    assert text.strip().startswith('<section id="ingest-runs"')
    assert 'hx-trigger="every 2s"' in text
    assert '<progress max="100" value="25"' in text
    assert "3 / 12" in text
    IngestRun.objects.filter(pk=run.pk).update(status="done", ended_at=timezone.now())
    text = squeezed(admin_client.get(f"{INGEST}runs/", headers=HTMX))
    assert 'hx-trigger="every 10s"' in text, "the next run shows up by itself"
    assert admin_client.get(f"{INGEST}runs/")["Location"] == INGEST


def test_a_run_that_fell_silent_is_not_polled(admin_client: Client) -> None:
    make_run(status="running", heartbeat_at=timezone.now() - timedelta(minutes=3), bytes_todo=0)
    page = read(admin_client)
    assert "silent" in page
    assert "every 2s" not in page


def test_a_problem_names_file_line_and_reason_and_how_to_read_again(
    owner: User, owner_client: Client
) -> None:
    make_problem(owner, sample='{"a": "<script>alert(1)</script>', line=1234)
    assert "<script>alert" not in owner_client.get(INGEST).content.decode()
    page = read(owner_client)
    for text in ("not JSON", "/home/a b/x.jsonl", "line 1,234", "<bdi>{"):
        assert text in page
    assert "python manage.py ingest_sessions --full '/home/a b/x.jsonl'" in page


def test_a_file_that_is_here_is_read_again_by_a_click(
    owner: User, owner_client: Client, stranger_client: Client
) -> None:
    problem = make_problem(owner)
    file = RawFile.objects.create(
        collector=owner, source="codex", host=socket.gethostname(), path=problem.path,
        reader_version=1, first_read_at=NOON, last_read_at=NOON,
    )  # fmt: skip
    assert 'formaction="/ingest/problems/retry/"' in read(owner_client)
    stranger_client.post(RETRY, {"problem": problem.pk})
    file.refresh_from_db()
    assert file.reader_version == 1
    response = owner_client.post(RETRY, {"problem": problem.pk}, headers=HTMX)
    assert "in the background" in response["HX-Trigger"]
    file.refresh_from_db()
    assert file.reader_version == -1
    assert stamp(wanted_path()) is not None
    RawFile.objects.update(host="elsewhere")
    response = owner_client.post(RETRY, {"problem": problem.pk}, follow=True)
    assert "not on this machine" in squeezed(response)
    assert owner_client.get(RETRY).status_code == 405


def test_what_was_sent_is_named_as_it_was_sent(owner: User, owner_client: Client) -> None:
    make_problem(owner, path=str(uploads_folder() / "7" / "files" / "logs" / "a.jsonl"))
    page = read(owner_client)
    assert ">logs/a.jsonl<" in page
    assert str(uploads_folder()) not in page
    assert "Send again" in page


def test_problems_are_for_who_collected_the_file_and_for_staff(
    owner: User, owner_client: Client, teammate_client: Client, admin_client: Client
) -> None:
    make_problem(owner, reason="torn in the middle")
    assert "torn in the middle" in read(owner_client)
    assert "torn in the middle" in read(admin_client)
    assert "torn in the middle" not in read(teammate_client)
    assert "Nothing to report" in read(teammate_client)


def test_they_can_be_filtered_and_turned_over(owner: User, owner_client: Client) -> None:
    for line in range(30):
        make_problem(owner, line=line, reason=f"reason {line}.")
    make_problem(owner, source="clinvk", reason="another")
    page = read(owner_client, "?source=codex", **HTMX)
    assert page.strip().startswith('<section id="problems"')
    assert "another" not in page
    assert "reason 29." in page
    number = page.split("&before=")[1].split("#")[0]
    later = read(owner_client, f"?source=codex&before={number}")
    assert "reason 4." in later
    assert "reason 5." not in later


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "²", "1e5", str(2**63)])
def test_a_broken_place_is_the_first_page_and_said(
    owner: User, owner_client: Client, before: str
) -> None:
    make_problem(owner)
    page = read(owner_client, f"?before={before}")
    assert "The link to that page of the list is broken" in page
    assert "not JSON" in page


def test_one_is_dismissed_in_place(owner: User, owner_client: Client) -> None:
    first, second = make_problem(owner, line=1), make_problem(owner, line=2, reason="torn")
    response = owner_client.post(DISMISS, {"problem": first.pk}, headers=HTMX)
    text = squeezed(response)
    assert text.strip().startswith('<section id="problems"')
    assert "torn" in text
    assert "not JSON" not in text
    assert "1 problem was dismissed." in response["HX-Trigger"]
    response = owner_client.post(DISMISS, {"problem": second.pk}, follow=True)
    assert response.redirect_chain == [(INGEST, 302)]
    assert "1 problem was dismissed." in squeezed(response)


def test_all_of_the_shown_source_are_dismissed(owner: User, owner_client: Client) -> None:
    make_problem(owner)
    make_problem(owner, source="clinvk", reason="kept")
    owner_client.post(DISMISS, {"all": "1", "source": "codex"})
    assert [row.reason for row in IngestProblem.objects.filter(dismissed_at=None)] == ["kept"]


def test_nothing_chosen_dismisses_nothing(owner: User, owner_client: Client) -> None:
    make_problem(owner)
    owner_client.post(DISMISS, {"problem": ["x", "-3", str(2**64)]})
    assert IngestProblem.objects.filter(dismissed_at=None).count() == 1


def test_stranger_cannot_dismiss(owner: User, stranger_client: Client, client: Client) -> None:
    problem = make_problem(owner)
    stranger_client.post(DISMISS, {"problem": problem.pk})
    stranger_client.post(DISMISS, {"all": "1"})
    assert client.post(DISMISS, {"all": "1"})["Location"].startswith("/accounts/login/")
    assert IngestProblem.objects.filter(dismissed_at=None).count() == 1


def test_wrong_methods_are_refused(owner_client: Client) -> None:
    assert owner_client.get(DISMISS).status_code == 405
    assert owner_client.post(INGEST).status_code == 405
    assert owner_client.post(f"{INGEST}runs/").status_code == 405


def test_ten_more_problems_need_no_more_queries(
    owner: User, owner_client: Client, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    make_problem(owner)
    with django_assert_max_num_queries(8) as few:
        read(owner_client)
    for line in range(10):
        make_problem(owner, line=100 + line)
    with django_assert_max_num_queries(len(few.captured_queries)):
        read(owner_client)
