"""Locks over the API: numbers, refusals, and writes that name them or not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from sessions_app.actions import lease_waiting
from sessions_app.models import AgentSession, AuditEntry, Message, SessionLease, User
from tests.api.conftest import Program, code_of
from tests.factories import make_session

pytestmark = pytest.mark.django_db

MESSAGES = {"messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def session(owner: User) -> AgentSession:
    return make_session(owner)


def lock(program: Program, session: AgentSession, **body: Any) -> dict[str, Any]:
    answer = program.post(f"/sessions/{session.short_id}/lock", {"holder": "one", **body})
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def run_out(session: AgentSession) -> None:
    SessionLease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def test_a_lock_is_taken_kept_shown_and_given_back(owners: Program, session: AgentSession) -> None:
    path = f"/sessions/{session.short_id}/lock"
    taken = lock(owners, session, ttl=60)
    assert (taken["holder"], taken["mode"]) == ("one", "exclusive")
    longer = owners.put(path, {"ttl": 600}, X_Fence=str(taken["fence"])).json()
    assert longer["fence"] == taken["fence"]
    assert longer["expires_at"] > taken["expires_at"]
    [holder] = owners.get(path).json()["items"]
    assert holder["holder"] == "one"
    assert "fence" not in holder
    assert owners.delete(path, {"fence": taken["fence"]}).status_code == 204
    assert owners.get(path).json()["items"] == []


def test_the_refusal_names_the_holder(owners: Program, session: AgentSession) -> None:
    lock(owners, session)
    path = f"/sessions/{session.short_id}/lock"
    refused = owners.post(path, {"holder": "two", "wait": 0})
    assert code_of(refused, 423) == "session_locked"
    details = refused.json()["error"]["details"]
    assert (details["holder"], details["mode"]) == ("one", "exclusive")
    assert details["expires_at"].startswith("20")


WRITES: list[tuple[str, str, Any]] = [
    ("POST", "/messages", MESSAGES),
    ("DELETE", "/messages", None),
    ("PATCH", "", {"title": "Other"}),
    ("POST", "/tags", {"tags": ["auth"]}),
    ("PUT", "/snapshots/7", {"state": {}}),
    ("POST", "/heartbeat", {"progress": 0.5}),
    ("POST", "/pause", None),
    ("POST", "/crash", None),
    ("POST", "/resume", None),
    ("POST", "/recover", None),
    ("POST", "/fail", None),
    ("POST", "/protect", None),
    ("POST", "/unprotect", None),
    ("POST", "/resume", None),
    ("POST", "/complete", {"exit_code": 0}),
    ("DELETE", "", None),
]


@pytest.mark.parametrize(("method", "address", "body"), WRITES)
def test_every_write_needs_the_number_of_the_lock(
    owners: Program, session: AgentSession, method: str, address: str, body: Any
) -> None:
    path = f"/sessions/{session.short_id}{address}"
    stale = str(lock(owners, session)["fence"])
    fence = str(lock(owners, session)["fence"])
    assert code_of(owners.send(method, path, body), 423) == "session_locked"
    assert code_of(owners.send(method, path, body, X_Fence=stale), 409) == "stale_fence"
    assert code_of(owners.send(method, path, body, X_Fence="-1"), 400) == "bad_request"
    session.refresh_from_db()
    assert (session.status, session.title, session.trashed_at) == ("active", "", None)
    assert not Message.objects.exists()
    answer = owners.send(method, path, body, X_Fence=fence)
    assert answer.status_code in (200, 201, 204), answer.content


def test_nothing_is_written_after_the_lock_has_run_out(
    owners: Program, session: AgentSession
) -> None:
    path = f"/sessions/{session.short_id}"
    fence = str(lock(owners, session)["fence"])
    run_out(session)
    assert code_of(owners.post(f"{path}/messages", MESSAGES, X_Fence=fence), 409) == "stale_fence"
    assert code_of(owners.put(f"{path}/lock", X_Fence=fence), 409) == "stale_fence"
    assert owners.post(f"{path}/messages", MESSAGES).status_code == 200


def test_a_take_over_is_audited(owners: Program, session: AgentSession, teammates: Program) -> None:
    old = lock(owners, session)
    run_out(session)
    new = lock(owners, session, holder="two")
    assert new["fence"] > old["fence"]
    entry = AuditEntry.objects.get(action="lease.take_over")
    assert (entry.details["from"], entry.details["to"]) == ("one", "two")


def test_the_same_key_gets_the_same_number(owners: Program, session: AgentSession) -> None:
    path = f"/sessions/{session.short_id}/lock"
    first, again = (
        owners.post(path, {"holder": "one"}, Idempotency_Key="lock-1") for _ in range(2)
    )
    assert first.json() == again.json()
    assert again["Idempotency-Replayed"] == "true"
    refused = owners.post(path, {"holder": "two", "wait": 0}, Idempotency_Key="lock-2")
    assert code_of(refused, 423) == "session_locked"
    run_out(session)
    late = owners.post(path, {"holder": "two", "wait": 0}, Idempotency_Key="lock-2")
    assert late.json()["fence"] > first.json()["fence"]


def test_readers_share(owners: Program, session: AgentSession) -> None:
    path = f"/sessions/{session.short_id}"
    lock(owners, session, mode="shared")
    lock(owners, session, mode="shared", holder="two")
    refused = owners.post(f"{path}/lock", {"holder": "three", "wait": 0})
    assert refused.json()["error"]["details"]["mode"] == "shared"
    assert owners.post(f"{path}/messages", MESSAGES).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_who_waits_gets_it(
    owners: Program, session: AgentSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock(owners, session)
    rests = []

    def rest(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 3:
            run_out(session)

    monkeypatch.setattr(lease_waiting, "_rest", rest)
    assert lock(owners, session, holder="two")["holder"] == "two"
    assert len(rests) == 3


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"holder": ""},
        {"holder": "x" * 201},
        {"holder": "one", "ttl": 0},
        {"holder": "one", "ttl": -1},
        {"holder": "one", "ttl": 3601},
        {"holder": "one", "wait": -1},
        {"holder": "one", "wait": 31},
        {"holder": "one", "mode": "both"},
        {"holder": "one", "ttl": "60"},
        {"holder": 1},
        {"holder": "one", "more": 1},
        [],
    ],
)
def test_a_wrong_wish_is_refused(owners: Program, session: AgentSession, body: Any) -> None:
    answer = owners.post(f"/sessions/{session.short_id}/lock", body)
    assert code_of(answer, 400) in ("invalid", "bad_request")
    assert not SessionLease.objects.exists()


def test_renewing_and_giving_back_need_one_number(owners: Program, session: AgentSession) -> None:
    path = f"/sessions/{session.short_id}/lock"
    lock(owners, session)
    for send in (owners.put, owners.delete):
        assert code_of(send(path), 400) == "bad_request"
        assert code_of(send(path, {"fence": 1}, X_Fence="2"), 400) == "bad_request"
        assert code_of(send(path, {"fence": 2**62}), 409) == "stale_fence"
    assert SessionLease.objects.count() == 1


def test_others_see_who_has_it_and_strangers_nothing(
    owners: Program, teammates: Program, strangers: Program, session: AgentSession, stranger: User
) -> None:
    path = f"/sessions/{session.short_id}/lock"
    lock(owners, session)
    assert len(teammates.get(path).json()["items"]) == 1
    assert code_of(teammates.post(path, {"holder": "two"}), 403) == "not_yours"
    AgentSession.objects.update(audience=-session.owner_id)
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = strangers.send(method, path, {"holder": "x"} if method == "POST" else None)
        assert code_of(answer, 404) == "not_found"
    assert code_of(owners.get("/sessions/zzzz/lock"), 404) == "not_found"
    assert owners.patch(path, {}).status_code == 405
