"""Snapshots through the API."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from sessions_app.models import AgentSession, Snapshot, User
from tests.api.conftest import Program, code_of
from tests.factories import make_session


@pytest.fixture
def session(owner: User) -> AgentSession:
    return make_session(owner)


def put(program: Program, session: AgentSession, step: Any, body: Any, **headers: str) -> Any:
    return program.put(f"/sessions/{session.short_id}/snapshots/{step}", body, **headers)


def test_the_latest_is_the_highest_good_one(owners: Program, session: AgentSession) -> None:
    for step in (2, 10, 4):
        assert put(owners, session, step, {"state": {"step": step}}).status_code == 201
    address = f"/sessions/{session.short_id}/snapshots"
    assert owners.get(f"{address}/latest").json()["state"] == {"step": 10}
    Snapshot.objects.filter(step=10).update(packed=b"torn")
    latest = owners.get(f"{address}/latest").json()
    assert (latest["step"], latest["state"]) == (4, {"step": 4})
    assert latest["skipped"] == [{"step": 10, "problem": "the stored bytes are damaged"}]
    told = owners.get(address).json()
    assert [(item["step"], bool(item["problem"])) for item in told["items"]] == [
        (2, False), (4, False), (10, True),
    ]  # fmt: skip
    assert told["latest"] == 4
    assert code_of(owners.get(f"{address}/10"), 409) == "torn_snapshot"
    assert owners.get(f"{address}/2").json()["state"] == {"step": 2}


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (b'{"state": [1, 2.50], "at": "2026-11-21T12:00:00Z"}', "[1, 2.50]"),
        (b'{"state": null}', "null"),
        (b'{"state": 1, "done": 2}', '{"state": 1, "done": 2}'),
        (b'{"done": 45}', '{"done": 45}'),
        (b"[]", "[]"),
        (b'{"state": {"n": 12345678901234567890123}}', '{"n": 12345678901234567890123}'),
    ],
)  # fmt: skip
def test_a_state_comes_back_byte_for_byte(
    owners: Program, session: AgentSession, body: bytes, state: str
) -> None:
    assert put(owners, session, 7, body).status_code == 201
    answer = owners.get(f"/sessions/{session.short_id}/snapshots/7")
    assert f'"state":{state}' in answer.content.decode()


@pytest.mark.parametrize("step", ["-1", str(2**63), "1.5", "x", "%00", "1e3", "9" * 400])
def test_a_step_that_is_none_is_refused(owners: Program, session: AgentSession, step: str) -> None:
    assert put(owners, session, step, {"state": 1}).status_code in (400, 404, 405)
    assert not Snapshot.objects.exists()


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"state": NaN}', b"\xff", b"[" * 100_000, b'{"state": 1, "at": "x"}']
)
def test_what_is_no_state_is_refused(owners: Program, session: AgentSession, body: bytes) -> None:
    code_of(put(owners, session, 1, body), 400)
    assert not Snapshot.objects.exists()


def test_a_packed_body_is_counted_inflated(
    owners: Program, session: AgentSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps({"state": "a" * 10_000}).encode()
    assert put(owners, session, 1, gzip.compress(body), Content_Encoding="gzip").status_code == 201
    monkeypatch.setattr("sessions_app.api.snapshots.MAX_STATE", 5_000)
    answer = put(owners, session, 2, gzip.compress(body), Content_Encoding="gzip")
    assert code_of(answer, 413) == "too_large"


def test_a_retry_is_answered_the_same(owners: Program, session: AgentSession) -> None:
    first = put(owners, session, 1, {"state": 1}, Idempotency_Key="k1")
    again = put(owners, session, 1, {"state": 1}, Idempotency_Key="k1")
    assert (again.status_code, again.content) == (201, first.content)
    assert again["Idempotency-Replayed"] == "true"
    other = put(owners, session, 1, {"state": 2}, Idempotency_Key="k1")
    assert code_of(other, 409) == "idempotency_key_reused"
    assert put(owners, session, 1, {"state": 2}).status_code == 200


def test_an_ended_session_takes_none(owners: Program, owner: User) -> None:
    ended = make_session(owner, status="completed")
    assert code_of(put(owners, ended, 1, {"state": 1}), 409) == "session_closed"


def test_a_crashed_one_is_at_work_again(owners: Program, owner: User) -> None:
    crashed = make_session(owner, status="crashed")
    assert put(owners, crashed, 1, {"state": 1}).status_code == 201
    crashed.refresh_from_db()
    assert crashed.status == "active"


def test_three_people(owner: User, owners: Program, teammates: Program, strangers: Program) -> None:
    shared = make_session(owner)
    private = make_session(owner, visibility="private", audience=-owner.pk)
    assert put(teammates, shared, 1, {"state": 1}).status_code == 403
    assert put(strangers, private, 1, {"state": 1}).status_code == 404
    for session in (shared, private):
        assert put(owners, session, 1, {"state": 1}).status_code == 201
    for ending in ("", "/latest", "/1"):
        assert teammates.get(f"/sessions/{shared.short_id}/snapshots{ending}").status_code == 200
        assert strangers.get(f"/sessions/{private.short_id}/snapshots{ending}").status_code == 404
        assert owners.get(f"/sessions/{private.short_id}/snapshots{ending}").status_code == 200


def test_there_may_be_none(owners: Program, session: AgentSession) -> None:
    for ending in ("latest", "5"):
        code_of(owners.get(f"/sessions/{session.short_id}/snapshots/{ending}"), 404)
    assert owners.get(f"/sessions/{session.short_id}/snapshots").json()["items"] == []
    wrong = owners.post(f"/sessions/{session.short_id}/snapshots/5", {})
    assert wrong.status_code == 405
