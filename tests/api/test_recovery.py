"""Recovering and forking over the API: the answer is enough to go on."""

from __future__ import annotations

from typing import Any

import pytest

from sessions_app.models import AgentSession, Project, User
from tests.api.conftest import Program, code_of, program_of
from tests.factories import make_session
from tests.invariants import check_invariants

pytestmark = pytest.mark.django_db

CALL = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "make"}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "ok"}
USAGE = {"input": 900, "output": 41}


def said(key: str, content: Any, role: str = "user", **more: Any) -> dict[str, Any]:
    return {"key": key, "role": role, "content": content, **more}


def crashed_job(program: Program, **facts: Any) -> str:
    """Prompt, answer with a call and its price, the result; a state; a call that hangs; a crash."""
    answer = program.post("/sessions", {"backend": "claude", **facts})
    id = str(answer.json()["id"])
    path = f"/sessions/{id}"
    first = [
        said("m1", "Make it"),
        said("m2", [CALL], "assistant", usage=USAGE, model="claude-sonnet-4-5"),
        said("m3", [RESULT]),
    ]
    assert program.post(f"{path}/messages", {"messages": first}).status_code == 200
    for step in (2, 10, 9):
        saved = program.put(f"{path}/snapshots/{step}", {"state": {"step": step}})
        assert saved.status_code == 201
    last = [said("m4", "And now?"), said("m5", [{**CALL, "id": "t2"}], "assistant", usage=USAGE)]
    assert program.post(f"{path}/messages", {"messages": last}).status_code == 200
    program.post(f"{path}/crash")
    return id


def test_the_answer_is_enough_to_go_on(owners: Program) -> None:  # K10
    id = crashed_job(owners)
    answer = owners.post(f"/sessions/{id}/recover")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["session"]["id"], told["session"]["status"], told["was"]) == (
        id,
        "active",
        "crashed",
    )
    assert (told["snapshot"]["step"], told["snapshot"]["state"]) == (10, {"step": 10})
    assert [message["key"] for message in told["messages"]] == ["m4", "m5"]
    assert told["next"] is None
    [call] = told["dangling_tool_calls"]
    assert (call["seq"], call["id"], call["name"]) == (5, "t2", "Bash")
    assert call["input"] == {"command": "make"}
    assert (told["lock"], told["skipped"]) == (None, [])
    again = owners.post(f"/sessions/{id}/recover").json()
    assert again["was"] == "active"
    assert (again["messages"], again["snapshot"]) == (told["messages"], told["snapshot"])


def test_of_two_who_recover_one_wins_by_the_lease(owners: Program, owner: User) -> None:
    path = f"/sessions/{crashed_job(owners)}"
    winner = owners.post(f"{path}/recover", {"holder": "ci-1", "ttl": 60}).json()
    other = program_of(owner)
    refused = other.post(f"{path}/recover", {"holder": "ci-2"})
    assert code_of(refused, 423) == "session_locked"
    assert refused.json()["error"]["details"]["holder"] == "ci-1"
    assert code_of(other.post(f"{path}/recover"), 423) == "session_locked"
    fence = str(winner["lock"]["fence"])
    body = {"messages": [said("m6", "on we go")]}
    assert code_of(other.post(f"{path}/messages", body), 423) == "session_locked"
    assert owners.post(f"{path}/messages", body, X_Fence=fence).json()["last_seq"] == 6


def test_a_long_rest_comes_in_pages(owners: Program, owner: User) -> None:
    session = make_session(owner, status="crashed")
    path = f"/sessions/{session.short_id}"
    for start in (0, 1000):
        count = 1000 if start == 0 else 1
        body = {"messages": [said(f"m{start + place}", "x") for place in range(count)]}
        assert owners.post(f"{path}/messages", body).status_code == 200
    told = owners.post(f"{path}/recover").json()
    assert (len(told["messages"]), told["next"]) == (1000, 1000)
    rest = owners.get(f"{path}/messages?after=1000").json()["items"]
    assert [message["seq"] for message in rest] == [1001]


def test_a_fork_goes_its_own_way(owners: Program, teammates: Program) -> None:  # C12
    parent = crashed_job(owners, name="nightly", tags=["shop"], visibility="everyone")
    before = owners.get(f"/sessions/{parent}").json()
    answer = teammates.post(f"/sessions/{parent}/fork", {"at_seq": 2, "prompt": "No cache."})
    assert answer.status_code == 201, answer.content
    child = answer.json()
    check_invariants()
    assert (child["owner"], child["source"], child["status"]) == ("teammate", "fork", "active")
    assert (child["parent_id"], child["forked_at_seq"]) == (parent, 2)
    assert (child["name"], child["tags"], child["message_count"]) == (None, ["shop"], 3)
    assert child["token_usage"]["total"] == child["token_usage"]["inherited"] == 941
    messages = teammates.get(f"/sessions/{child['id']}/messages").json()["items"]
    assert [message["content"] for message in messages] == ["Make it", [CALL], "No cache."]
    assert owners.get(f"/sessions/{parent}").json() == before
    # Its result came after the fork: here the call is still open, and can be answered.
    path = f"/sessions/{child['id']}"
    dangling = teammates.post(f"{path}/recover").json()["dangling_tool_calls"]
    assert [call["id"] for call in dangling] == ["t1"]
    body = {"messages": [said("m3", [{**RESULT, "content": "other"}])]}
    assert teammates.post(f"{path}/messages", body).json()["last_seq"] == 4
    check_invariants()


def test_without_a_body_all_of_it_is_copied(owners: Program) -> None:
    parent = crashed_job(owners)
    child = owners.post(f"/sessions/{parent}/fork").json()
    assert (child["message_count"], child["status"], child["forked_at_seq"]) == (5, "created", 5)
    old, new = (owners.get(f"/sessions/{id}/messages").json()["items"] for id in
                (parent, child["id"]))  # fmt: skip
    assert [(item["key"], item["content"]) for item in old] == [
        (item["key"], item["content"]) for item in new
    ]
    assert owners.get(f"/sessions/{child['id']}/snapshots").json()["latest"] == 10
    check_invariants()


def test_the_same_key_forks_once(owners: Program) -> None:
    parent = crashed_job(owners)
    answers = [owners.post(f"/sessions/{parent}/fork", Idempotency_Key="fork-1") for _ in "12"]
    assert answers[0].json() == answers[1].json()
    assert AgentSession.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"at_seq": 0}, "bad_value"),
        ({"at_seq": 6}, "bad_value"),
        ({"at_seq": 2**63 - 1}, "bad_value"),
        ({"at_seq": -1}, "invalid"),
        ({"at_seq": 2**63}, "bad_request"),
        ({"at_seq": 1.5}, "invalid"),
        ({"at_seq": "2"}, "invalid"),
        ({"prompt": 7}, "invalid"),
        ({"prompt": "x" * 100_001}, "invalid"),
        ({"seq": 2}, "invalid"),
    ],
)
def test_a_wrong_place_is_refused(owners: Program, body: Any, code: str) -> None:
    parent = crashed_job(owners)
    assert code_of(owners.post(f"/sessions/{parent}/fork", body), 400) == code
    assert AgentSession.objects.count() == 1


def test_strangers_neither_fork_nor_recover(
    owners: Program, teammates: Program, strangers: Program, owner: User
) -> None:
    id = crashed_job(owners, visibility="private")
    for verb in ("fork", "recover"):
        for other in (teammates, strangers):
            assert code_of(other.post(f"/sessions/{id}/{verb}"), 404) == "not_found"
        assert owners.get(f"/sessions/{id}/{verb}").status_code == 405
    shared = crashed_job(owners, visibility="everyone")
    assert code_of(teammates.post(f"/sessions/{shared}/recover"), 403) == "not_yours"
    child = teammates.post(f"/sessions/{shared}/fork").json()
    assert child["owner"] == "teammate"


def test_a_fork_of_what_is_private_is_private(
    owners: Program, strangers: Program, owner: User
) -> None:
    child = owners.post(f"/sessions/{crashed_job(owners, visibility='private')}/fork").json()
    assert child["visibility"] == "private"
    assert code_of(strangers.get(f"/sessions/{child['id']}"), 404) == "not_found"


def test_a_token_of_a_project_forks_within_it(owners: Program, owner: User) -> None:
    id = crashed_job(owners, project="shop")
    shop = Project.objects.get(name="shop")
    inside = program_of(owner, project=shop)
    child = inside.post(f"/sessions/{id}/fork").json()
    assert child["project"] == "shop"
    outside = program_of(owner, project=Project.objects.create(
        key="name:other", name="other", created_at=shop.created_at
    ))  # fmt: skip
    assert code_of(outside.post(f"/sessions/{id}/fork"), 404) == "not_found"


def test_an_ephemeral_session_is_not_forked(owners: Program) -> None:
    id = owners.post("/sessions", {"ephemeral": True}).json()["id"]
    assert code_of(owners.post(f"/sessions/{id}/fork"), 409) == "ephemeral"
