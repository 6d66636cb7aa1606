"""Merging through the API."""

from __future__ import annotations

from typing import Any

import pytest

from sessions_app.models import AgentSession, User
from tests.api.conftest import Program, code_of
from tests.factories import make_session
from tests.invariants import check_invariants


def started(program: Program, *contents: str) -> str:
    short_id: str = program.post("/sessions", {"backend": "api"}).json()["id"]
    messages = [
        {"role": "user", "content": text, "at": "2026-11-21T12:00:00Z",
         "usage": {"input": 10, "output": 5}, "model": "claude-sonnet-4-5"}
        for text in contents
    ]  # fmt: skip
    assert program.post(f"/sessions/{short_id}/messages", {"messages": messages}).status_code == 200
    return short_id


# K21
def test_two_become_one(owners: Program) -> None:
    one, two = started(owners, "a", "both"), started(owners, "both", "c")
    answer = owners.post(
        "/sessions/merge", {"ids": [one, two], "description": "All of it", "order": "sequence"}
    )
    assert answer.status_code == 201
    merged = answer.json()
    assert merged["merged_from"] == [one, two]
    assert (merged["source"], merged["title"], merged["message_count"]) == (
        "merge", "All of it", 3,
    )  # fmt: skip
    assert merged["token_usage"]["total"] == merged["token_usage"]["inherited"] == 60
    told = owners.get(f"/sessions/{merged['id']}/messages").json()["items"]
    assert [item["content"] for item in told] == ["a", "both", "c"]
    assert told[1]["metadata"]["merged_from"] == [
        {"session": one, "seq": 2}, {"session": two, "seq": 1},
    ]  # fmt: skip
    assert owners.get(f"/sessions/{one}").status_code == 200
    check_invariants()


def test_a_retry_makes_no_second_one(owners: Program) -> None:
    ids = [started(owners, "a"), started(owners, "b")]
    first = owners.post("/sessions/merge", {"ids": ids}, Idempotency_Key="k")
    again = owners.post("/sessions/merge", {"ids": ids}, Idempotency_Key="k")
    assert again.json()["id"] == first.json()["id"]
    assert AgentSession.objects.count() == 3


def test_the_sources_go_to_the_trash_when_asked(owners: Program) -> None:
    ids = [started(owners, "a"), started(owners, "b")]
    merged = owners.post("/sessions/merge", {"ids": ids, "sources": "trash"}).json()
    assert [owners.get(f"/sessions/{one}").status_code for one in ids] == [404, 404]
    assert owners.get(f"/sessions/{merged['id']}").json()["message_count"] == 2


@pytest.mark.parametrize(
    "change",
    [{"ids": []}, {"ids": ["same"] * 2}, {"order": "size"}, {"ids": "x"}, {"sources": "burn"},
     {"extra": 1}, {"ids": [7, 8]}],
)  # fmt: skip
def test_what_makes_no_sense_changes_nothing(owners: Program, change: dict[str, Any]) -> None:
    one, two = started(owners, "a"), started(owners, "b")
    if change.get("ids") == ["same"] * 2:
        change = {"ids": [one, one]}
    assert code_of(owners.post("/sessions/merge", {"ids": [one, two], **change}), 400)
    assert AgentSession.objects.count() == 2


def test_three_people(owner: User, owners: Program, teammates: Program, strangers: Program) -> None:
    shared = [make_session(owner), make_session(owner)]
    private = make_session(owner, visibility="private", audience=-owner.pk)
    ids = [session.short_id for session in shared]
    assert teammates.post("/sessions/merge", {"ids": ids}).json()["owner"] == "teammate"
    refused = teammates.post("/sessions/merge", {"ids": ids, "sources": "trash"})
    assert code_of(refused, 403) == "not_yours"
    hidden = strangers.post("/sessions/merge", {"ids": [ids[0], private.short_id]})
    assert code_of(hidden, 404) == "not_found"
    assert owners.get("/sessions/merge").status_code == 405
