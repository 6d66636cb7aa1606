"""Messages: append, read windows, clear; calls are paired and usage is counted once."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.apps import apps
from django.db.models import F

from sessions_app.models import AgentSession, Attachment, Message, ToolCall, Usage
from tests.api.conftest import Program, code_of
from tests.invariants import check_invariants

PIXEL = base64.b64encode(b"\x89PNG not really").decode()
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}


def say(role: str, content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **fields}


def call(number: int) -> dict[str, Any]:
    given = {"command": "make test"}
    return {"type": "tool_use", "id": f"t{number}", "name": "Bash", "input": given}


def result(number: int, content: Any = "ok", **fields: Any) -> dict[str, Any]:
    told = {"type": "tool_result", "tool_use_id": f"t{number}", "content": content}
    return {"is_error": False, **told, **fields}


@pytest.fixture
def address(owners: Program) -> str:
    made = owners.post("/sessions", {"backend": "claude", "name": "talk"}).json()
    return f"/sessions/{made['id']}"


def append(program: Program, address: str, *messages: dict[str, Any]) -> list[int]:
    answer = program.post(f"{address}/messages", {"messages": list(messages)})
    assert answer.status_code == 200, answer.content
    check_invariants()
    return [item["seq"] for item in answer.json()["items"]]


def contents(program: Program, address: str, query: str = "") -> list[Any]:
    found = program.get(f"{address}/messages{query}").json()
    return [item["content"] for item in found["items"]]


def test_messages_are_read_as_they_were_told(owners: Program, address: str) -> None:  # K8
    """K8: append, read all or the last N, clear."""
    told: list[dict[str, Any]] = [
        say("user", "Make the tests pass.", at="2026-11-21T08:00:00Z", metadata={"n": 1}),
        say("assistant", [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "I"},
                          {"type": "text", "text": "run"}, call(1), call(2)], model="m-1"),
        say("tool", [result(1, is_error=True, exit_code=2), result(2)]),
        say("user", [{"type": "text", "text": "See"}, IMAGE]),
        say("system", ""),
    ]  # fmt: skip
    assert append(owners, address, *told) == [1, 2, 3, 4, 5]
    assert contents(owners, address) == [message["content"] for message in told]
    assert contents(owners, address, "?last=2") == [message["content"] for message in told[-2:]]
    first = owners.get(f"{address}/messages?limit=2").json()
    assert (first["next"], first["last_seq"]) == (2, 5)
    [one, two] = first["items"]
    assert (one["at"], one["metadata"], two["model"]) == ("2026-11-21T08:00:00Z", {"n": 1}, "m-1")
    rest = owners.get(f"{address}/messages?after=2").json()
    assert ([item["seq"] for item in rest["items"]], rest["next"]) == ([3, 4, 5], None)
    session = owners.get(address).json()
    assert (session["message_count"], session["user_messages"]) == (5, 2)
    assert (session["tool_calls"], session["tool_errors"]) == (2, 1)
    assert (session["prompt"], session["models"]) == ("Make the tests pass.", ["m-1"])
    assert session["status"] == "active"


def test_a_result_finds_its_call_in_an_earlier_request(owners: Program, address: str) -> None:
    append(owners, address, say("assistant", [call(1)]))
    assert AgentSession.objects.get().open_tool_calls == 1
    append(owners, address, say("tool", [result(1, [{"type": "text", "text": "see"}, IMAGE])]))
    tool_call = ToolCall.objects.get()
    assert (tool_call.ended, tool_call.output_preview) == (True, "see")
    assert Attachment.objects.get().call_id == "t1"
    told = contents(owners, address)
    assert told == [[call(1)], [result(1, [{"type": "text", "text": "see"}, IMAGE])]]


def test_a_result_without_a_call_is_kept(owners: Program, address: str) -> None:
    append(owners, address, say("tool", [{"type": "text", "text": "late"}, result(9)]))
    assert contents(owners, address) == [[{"type": "text", "text": "late"}, result(9)]]


def test_a_key_is_stored_once(owners: Program, address: str) -> None:
    one, two = say("user", "one", key="m1"), say("user", "two", key="m2")
    assert append(owners, address, one) == [1]
    assert append(owners, address, one, two) == [1, 2]
    assert append(owners, address, two, say("user", "three"), one) == [2, 3, 1]
    answer = owners.post(
        f"{address}/messages", {"messages": [say("user", "other", key="m1"), say("user", "x")]}
    )
    assert code_of(answer, 409) == "already_there"
    assert Message.objects.count() == 3
    twice = owners.post(f"{address}/messages", {"messages": [one, one]})
    assert code_of(twice, 400)


def test_usage_counts_once_for_each_key(owners: Program, teammates: Program, address: str) -> None:
    spent = {"input": 900, "output": 41, "cache_read": 5, "cost": 0.0125}
    append(owners, address, say("assistant", "a", usage=spent, usage_key="r1"))
    append(owners, address, say("assistant", "b", usage=spent, usage_key="r1"))
    append(owners, address, say("assistant", "c", usage={"output": 1}))
    session = owners.get(address).json()
    assert session["token_usage"]["total"] == 947
    assert (session["cost"]["recorded"], session["cost"]["complete"]) == ("0.0125", False)
    fork = owners.post("/sessions", {"backend": "claude"}).json()
    append(owners, f"/sessions/{fork['id']}", say("assistant", "a", usage=spent, usage_key="r1"))
    shared = owners.get(f"/sessions/{fork['id']}").json()["token_usage"]
    assert (shared["total"], shared["inherited"]) == (946, 946)
    other = teammates.post("/sessions", {"backend": "claude"}).json()
    append(teammates, f"/sessions/{other['id']}",
           say("assistant", "a", usage=spent, usage_key="r1"))  # fmt: skip
    assert Usage.objects.count() == 3
    [first] = owners.get(f"{address}/messages?limit=1").json()["items"]
    assert first["usage"] == {"input": 900, "output": 41, "cache_read": 5, "cache_write": 0,
                              "reasoning": 0, "cost": "0.0125"}  # fmt: skip


def test_a_clear_takes_the_words_and_not_the_bill(owners: Program, address: str) -> None:
    append(owners, address, say("user", "old"),
           say("assistant", [call(1)], usage={"output": 7}))  # fmt: skip
    assert owners.delete(f"{address}/messages").json() == {"cleared": 2, "last_seq": 2}
    check_invariants()
    assert contents(owners, address) == []
    assert append(owners, address, say("user", "new")) == [3]
    session = owners.get(address).json()
    assert (session["message_count"], session["token_usage"]["total"]) == (1, 7)
    kept = AgentSession.objects.exclude(trashed_at=None).get()
    assert (kept.message_count, kept.tool_calls) == (2, 1)
    assert [message.text for message in kept.messages.order_by("seq")] == ["old", ""]
    assert owners.delete(f"{address}/messages").json()["cleared"] == 1


def test_what_is_over_takes_no_more(owners: Program, address: str) -> None:
    body = {"messages": [say("user", "a")]}
    for status, expected in (("paused", 200), ("crashed", 200), ("completed", 409), ("error", 409)):
        AgentSession.objects.update(status=status)
        assert owners.post(f"{address}/messages", body).status_code == expected
    assert code_of(owners.post(f"{address}/messages", body), 409) == "session_closed"
    assert Message.objects.count() == 2


def test_texts_are_repaired_and_names_refused(owners: Program, address: str) -> None:
    append(owners, address, say("user", "a\0b \ud800 \u2028 <b>", at="2101-01-01T00:00:00Z"))
    assert contents(owners, address) == ["a␀b \ufffd \u2028 <b>"]
    assert Message.objects.filter(at__lte=F("received_at")).exists()
    for wrong in (
        say("user", "x", key="a\nb"),
        say("user", "x", key="~1"),
        say("user", "x", key=""),
    ):
        code_of(owners.post(f"{address}/messages", {"messages": [wrong]}), 400)


@pytest.mark.parametrize(
    "wrong",
    [
        say("robot", "x"), say("user", None), say("user", 7), say("user", [{"type": "other"}]),
        say("user", [IMAGE | {"source": {"media_type": "text/html", "data": PIXEL}}]),
        say("user", [{"type": "image", "source": {"media_type": "image/png", "data": "%%"}}]),
        say("user", "x", usage={"input": -1}), say("user", "x", usage={"input": 2**63}),
        say("user", "x", usage={"input": 1.5}), say("user", "x", at="never"),
        say("user", "x", tokens=1), {"role": "user"}, "text", None,
    ],
)  # fmt: skip
def test_one_bad_message_and_nothing_is_stored(wrong: Any, owners: Program, address: str) -> None:
    code_of(owners.post(f"{address}/messages", {"messages": [say("user", "good"), wrong]}), 400)
    assert not Message.objects.exists()


@pytest.mark.parametrize("count", [0, 1001])
def test_1_to_1000_messages(count: int, owners: Program, address: str) -> None:
    code_of(owners.post(f"{address}/messages", {"messages": [say("user", "x")] * count}), 400)


def test_a_thousand_messages_at_once(owners: Program, address: str) -> None:
    told = [say("user", f"line {number}") for number in range(1000)]
    assert append(owners, address, *told) == list(range(1, 1001))
    assert contents(owners, address, "?last=1") == ["line 999"]


@pytest.mark.parametrize("query", ["after=-1", "limit=0", "limit=1001", "last=0", "after=x"])
def test_bad_windows_are_refused(query: str, owners: Program, address: str) -> None:
    code_of(owners.get(f"{address}/messages?{query}"), 400)


def test_nothing_stays_of_an_ephemeral_session(
    owners: Program, django_capture_on_commit_callbacks: Any
) -> None:
    """Part of C2: rows, numbers, files, stored answers."""
    made = owners.post("/sessions", {"backend": "claude", "ephemeral": True}, Idempotency_Key="a")
    address = f"/sessions/{made.json()['id']}"
    words = [say("user", "secret words"), say("assistant", [IMAGE], usage={"output": 3})]
    owners.post(f"{address}/messages", {"messages": words}, Idempotency_Key="b")
    assert owners.get(address).json()["token_usage"]["total"] == 3
    with django_capture_on_commit_callbacks(execute=True):
        assert owners.delete(address).status_code == 204
    check_invariants()
    assert nothing_left() == {}


def nothing_left() -> dict[str, int]:

    kept = {"User", "ApiToken", "Project", "Membership", "ContentType", "Permission", "AuditEntry"}
    counts = {
        model.__name__: model._default_manager.count()
        for model in apps.get_app_config("sessions_app").get_models()
        if model.__name__ not in kept
    }
    return {name: count for name, count in counts.items() if count}
