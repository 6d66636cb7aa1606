"""A retry never duplicates: the same key is told the same answer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from sessions_app.actions.answers import KEPT, forget_answers
from sessions_app.models import AgentSession, Message, StoredAnswer
from tests.api.conftest import Program, code_of

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def session(owners: Program) -> str:
    return str(owners.post("/sessions", {"backend": "claude"}).json()["id"])


def test_the_same_again_is_told_the_first_answer(owners: Program, session: str) -> None:
    first = owners.post(f"/sessions/{session}/messages", HELLO, Idempotency_Key="k1")
    again = owners.post(f"/sessions/{session}/messages", HELLO, Idempotency_Key="k1")
    assert again.content == first.content
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert Message.objects.count() == 1


def test_another_body_or_address_under_the_key_is_409(owners: Program, session: str) -> None:
    owners.post(f"/sessions/{session}/messages", HELLO, Idempotency_Key="k1")
    other = {"messages": [{"role": "user", "content": "Other"}]}
    for address, body in ((f"/sessions/{session}/messages", other), ("/sessions", {})):
        answer = owners.post(address, body, Idempotency_Key="k1")
        assert code_of(answer, 409) == "idempotency_key_reused"
    assert Message.objects.count() == 1


def test_two_people_may_use_the_same_key(owners: Program, teammates: Program) -> None:
    one = owners.post("/sessions", {}, Idempotency_Key="k1").json()
    two = teammates.post("/sessions", {}, Idempotency_Key="k1").json()
    assert one["id"] != two["id"]


def test_what_was_refused_may_be_tried_again(owners: Program, session: str) -> None:
    edit = {"title": "x"}
    refused = owners.patch(f"/sessions/{session}", edit, Idempotency_Key="k", If_Match='"9"')
    assert code_of(refused, 412) == "outdated"
    assert owners.patch(f"/sessions/{session}", edit, Idempotency_Key="k").status_code == 200


def test_a_key_is_forgotten_after_a_week(owners: Program, session: str) -> None:
    owners.post(f"/sessions/{session}/messages", HELLO, Idempotency_Key="k1")
    StoredAnswer.objects.update(created_at=timezone.now() - KEPT - timedelta(seconds=1))
    owners.post(f"/sessions/{session}/messages", HELLO, Idempotency_Key="k1")
    assert Message.objects.count() == 2
    assert forget_answers(timezone.now()) == 0
    assert forget_answers(timezone.now() + KEPT + timedelta(minutes=1)) == 1


@pytest.mark.parametrize("key", ["k" * 201, "schlüssel", "a\tb"])
def test_a_bad_key_is_refused(key: str, owners: Program) -> None:
    code_of(owners.post("/sessions", {}, Idempotency_Key=key), 400)
    assert not AgentSession.objects.exists()
