"""The life of a session over the API: heartbeats, ends, resumes, protection, the trash."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from sessions_app.models import AgentSession, Message, StatusChange, User
from sessions_app.pages import overview
from tests.api.conftest import Program, code_of
from tests.conftest import signed_in
from tests.factories import make_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(owner: User) -> AgentSession:
    return make_session(owner, source="api")


def made(program: Program, **body: Any) -> str:
    answer = program.post("/sessions", body)
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def fall_silent(seconds: float = 100) -> None:
    """As if the last heartbeat had come that long ago."""
    AgentSession.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=seconds))


def status_of(program: Program, id: str) -> str:
    return str(program.get(f"/sessions/{id}").json()["status"])


def test_from_the_first_to_the_last_word(owners: Program) -> None:  # C5 K7
    id = made(owners, backend="claude")
    path = f"/sessions/{id}"
    assert status_of(owners, id) == "created"
    for verb, status, body in (
        ("heartbeat", "active", {"progress": 0.1, "current_task": "read", "total_steps": 9}),
        ("pause", "paused", {"reason": "lunch"}),
        ("resume", "active", None),
        ("crash", "crashed", {"reason": "the machine went away"}),
        ("resume", "active", None),
        ("fail", "error", {"error": "no disk", "exit_code": 2}),
        ("resume", "active", None),
        ("complete", "completed", {"exit_code": 0}),
    ):
        answer = owners.post(f"{path}/{verb}", body)
        assert (answer.status_code, answer.json()["status"]) == (200, status)
    told = owners.patch(path, {"title": "Nine steps"}).json()
    assert (told["title"], told["status"]) == ("Nine steps", "completed")
    assert (told["progress"], told["current_task"], told["total_steps"]) == (0.1, "read", 9)
    assert told["exit_code"] == 0
    assert told["ended_at"] is not None
    reasons = list(StatusChange.objects.order_by("pk").values_list("reason", flat=True))
    assert {"lunch", "the machine went away"} < set(reasons)


@pytest.mark.parametrize("verb", ["pause", "complete", "fail", "crash", "resume"])
def test_asked_again_nothing_changes(owners: Program, session: AgentSession, verb: str) -> None:
    path = f"/sessions/{session.short_id}/{verb}"
    first, again = owners.post(path), owners.post(path)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert session.status_changes.count() == (verb != "resume")


@pytest.mark.parametrize(
    ("status", "verb", "code"),
    [
        ("completed", "pause", "wrong_status"),
        ("completed", "fail", "wrong_status"),
        ("error", "complete", "wrong_status"),
        ("completed", "crash", "wrong_status"),
        ("completed", "heartbeat", "session_closed"),
        ("error", "recover", "session_closed"),
    ],
)
def test_what_does_not_fit_is_refused(
    owners: Program, owner: User, status: str, verb: str, code: str
) -> None:
    session = make_session(owner, status=status)
    answer = owners.post(f"/sessions/{session.short_id}/{verb}")
    assert code_of(answer, 409) == code
    assert answer.json()["error"]["details"]["status"] == status
    assert status_of(owners, session.short_id) == status


def test_a_lost_heartbeat_is_a_crash_and_a_late_one_brings_it_back(
    owners: Program, owner: User
) -> None:
    User.objects.create_superuser("boss")
    id = made(owners, backend="claude")
    path = f"/sessions/{id}/heartbeat"
    first = owners.post(path).json()
    assert (first["status"], first["revived"], first["again_within"]) == ("active", False, 30)
    call_command("detect_crashes", "--quiet")
    assert status_of(owners, id) == "active"
    fall_silent()
    call_command("detect_crashes", "--quiet")
    assert status_of(owners, id) == "crashed"
    late = owners.post(path, {"progress": 0.5}).json()
    assert (late["status"], late["revived"]) == ("active", True)
    call_command("detect_crashes", "--quiet")
    assert status_of(owners, id) == "active"


def test_the_overview_itself_marks_who_is_silent(
    owners: Program, owner_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:  # K3
    id = made(owners, backend="claude")
    body = {"messages": [{"role": "user", "content": "one", "key": "m1"}]}
    owners.post(f"/sessions/{id}/messages", body)
    owners.post(f"/sessions/{id}/heartbeat")
    fall_silent()
    monkeypatch.setattr(overview, "STARTED", timezone.now())
    owner_client.get("/")
    assert status_of(owners, id) == "active"  # this server has just begun to listen
    monkeypatch.setattr(overview, "STARTED", timezone.now() - timedelta(seconds=91))
    page = owner_client.get("/").content.decode()
    assert status_of(owners, id) == "crashed"
    assert f"/sessions/{id}/" in page
    recovered = owners.post(f"/sessions/{id}/recover").json()
    assert [message["content"] for message in recovered["messages"]] == ["one"]


def test_an_append_with_its_key_reopens_what_was_only_thought_crashed(owners: Program) -> None:
    id = made(owners, backend="claude")
    body = {"messages": [{"role": "user", "content": "one", "key": "m1"}]}
    path = f"/sessions/{id}"
    owners.post(f"{path}/messages", body)
    owners.post(f"{path}/crash")
    assert owners.post(f"{path}/messages", body).json()["items"] == [{"seq": 1, "key": "m1"}]
    assert status_of(owners, id) == "crashed"  # it was told before: no sign of life
    body["messages"][0] |= {"key": "m2", "content": "two"}
    assert owners.post(f"{path}/messages", body).json()["last_seq"] == 2
    assert status_of(owners, id) == "active"
    change = StatusChange.objects.latest("pk")
    assert (change.status, change.reason) == ("active", "messages were appended")
    owners.post(f"{path}/complete")
    body["messages"][0] |= {"key": "m3", "content": "three"}
    assert code_of(owners.post(f"{path}/messages", body), 409) == "session_closed"


@pytest.mark.parametrize("end", ["complete", "fail", "crash", "silence"])
def test_nothing_is_left_of_an_ephemeral_session_after_its_end(owners: Program, end: str) -> None:
    id = made(owners, ephemeral=True)
    body = {"messages": [{"role": "user", "content": "secret"}]}
    assert owners.post(f"/sessions/{id}/messages", body, Idempotency_Key="k").status_code == 200
    owners.post(f"/sessions/{id}/heartbeat")
    if end == "silence":
        fall_silent()
        User.objects.create_superuser("boss")
        call_command("detect_crashes", "--quiet")
    else:
        assert owners.post(f"/sessions/{id}/{end}").status_code == 204
    assert not AgentSession.objects.exists()
    assert not Message.objects.exists()
    for verb in ("heartbeat", "resume", "recover"):
        assert code_of(owners.post(f"/sessions/{id}/{verb}"), 404) == "not_found"


def test_protection_and_the_way_back_out_of_the_trash(
    owners: Program, session: AgentSession
) -> None:
    path = f"/sessions/{session.short_id}"
    assert owners.post(f"{path}/protect").json()["protected"] is True
    assert code_of(owners.delete(path), 409) == "protected"
    assert owners.post(f"{path}/unprotect").json()["protected"] is False
    assert owners.delete(path).status_code == 204
    assert code_of(owners.get(path), 404) == "not_found"
    back = owners.post(f"{path}/restore")
    assert (back.status_code, back.json()["status"]) == (200, "active")
    assert owners.post(f"{path}/restore").json() == back.json()
    assert owners.get(path).status_code == 200


def test_a_protection_makes_an_older_etag_stale(owners: Program, session: AgentSession) -> None:
    path = f"/sessions/{session.short_id}"
    old = owners.get(path)["ETag"]
    owners.post(f"{path}/protect")
    assert code_of(owners.patch(path, {"title": "x"}, If_Match=old), 412) == "outdated"


def test_restoring_is_for_those_who_could_throw_away(
    owners: Program, teammates: Program, strangers: Program, session: AgentSession
) -> None:
    path = f"/sessions/{session.short_id}"
    owners.delete(path)
    for other in (teammates, strangers):
        assert code_of(other.post(f"{path}/restore"), 404) == "not_found"
    taken = owners.patch(f"/sessions/{made(owners)}", {"name": "nightly"})
    assert taken.status_code == 200
    AgentSession.objects.filter(pk=session.pk).update(name="nightly")
    assert code_of(owners.post(f"{path}/restore"), 409) == "name_taken"


VERBS = ["heartbeat", "pause", "complete", "fail", "crash", "resume", "protect", "unprotect"]


@pytest.mark.parametrize("verb", VERBS)
def test_only_the_owner_changes_and_strangers_see_nothing(
    owners: Program, teammates: Program, strangers: Program, session: AgentSession, verb: str
) -> None:
    path = f"/sessions/{session.short_id}/{verb}"
    assert code_of(teammates.post(path), 403) == "not_yours"
    AgentSession.objects.update(audience=-session.owner_id)
    assert code_of(strangers.post(path), 404) == "not_found"
    assert code_of(owners.post(f"/sessions/zzzz/{verb}"), 404) == "not_found"
    assert owners.get(path).status_code == 405
    assert status_of(owners, session.short_id) == "active"


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("heartbeat", {"progress": 1.1}),
        ("heartbeat", {"progress": -0.1}),
        ("heartbeat", {"progress": "half"}),
        ("heartbeat", b'{"progress": NaN}'),
        ("heartbeat", {"total_steps": 2**63}),
        ("heartbeat", {"total_steps": -1}),
        ("heartbeat", {"current_task": "x" * 501}),
        ("heartbeat", {"what": 1}),
        ("heartbeat", {"ttl": 0}),
        ("complete", {"exit_code": 2**31}),
        ("complete", {"exit_code": 1.5}),
        ("pause", {"reason": "x" * 301}),
        ("fail", {"error": 7}),
        ("crash", b"{"),
    ],
)
def test_bad_input_changes_nothing(
    owners: Program, session: AgentSession, verb: str, body: Any
) -> None:
    answer = owners.post(f"/sessions/{session.short_id}/{verb}", body)
    assert code_of(answer, 400) in ("invalid", "bad_request")
    session.refresh_from_db()
    assert (session.status, session.progress, session.heartbeat_at) == ("active", None, None)


def test_a_browser_may_do_it_with_its_csrf_token_only(owner: User, session: AgentSession) -> None:
    path = f"/api/v1/sessions/{session.short_id}/pause"
    client = Client(enforce_csrf_checks=True)
    client.cookies = signed_in(owner).cookies
    assert code_of(client.post(path), 403) == "forbidden"
