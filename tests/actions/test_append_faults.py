"""An append that fails at any step leaves nothing, and the next one is as if nothing had been."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from sessions_app.actions.answers import Answer, answer_once
from sessions_app.actions.append import Said, append_batch, prepare_batch
from sessions_app.models import AgentSession, Message, StoredAnswer, User
from sessions_app.records import CALL, IMAGE, TEXT, Block, MessageRecord, ToolResult, UsageRecord
from tests.dump import dump
from tests.factories import make_session
from tests.faults import fail_everywhere
from tests.invariants import check_invariants

pytestmark = pytest.mark.django_db


def batch(number: int) -> list[Said]:
    """A prompt, an answer with words, a call, an image and its price, and the call's result."""
    answer = [
        Block(TEXT, "I run it."),
        Block(CALL, "{}", call_id=f"c{number}", name="Bash"),
        Block(IMAGE, media_type="image/png", data=b"\x89PNG %d" % number),
    ]
    usage = UsageRecord(f"r{number}", model="claude-sonnet-4-5", input=100, output=10)
    return [
        Said(MessageRecord(f"p{number}", "user", [Block(TEXT, "Do it")], "prompt")),
        Said(MessageRecord(f"a{number}", "assistant", answer, "answer"), usage=usage),
        Said(MessageRecord(f"t{number}", "user"), [ToolResult(f"c{number}", "x" * 500)]),
    ]


@pytest.fixture
def session(owner: User) -> AgentSession:
    session = make_session(owner, status="paused")
    session.status_changes.create(status="paused", at=session.created_at, reason="made so")
    append(session, owner, 1)()
    AgentSession.objects.update(status="paused")
    session.status_changes.create(status="paused", at=session.created_at, reason="made so")
    return session


def append(session: AgentSession, by: User, number: int) -> Callable[[], Answer]:
    """As the API does it: with an idempotency key, and together with whoever writes now."""
    now = timezone.now()

    def work() -> Answer:
        ready = prepare_batch(session, batch(number), now=now)
        append_batch(session, ready, by=by, now=now)
        return Answer(b"{}")

    def act() -> Answer:
        return answer_once(work, user=by, key=f"k{number}", fingerprint="f", now=now)

    return act


def fails_everywhere(session: AgentSession, owner: User) -> None:
    before, done = dump(), append(session, owner, 2)

    def check() -> None:
        check_invariants()
        if not Message.objects.filter(key="p2").exists():
            assert dump() == before
            assert StoredAnswer.objects.count() == 1

    assert fail_everywhere(done, check) > 15
    assert Message.objects.filter(session=session).count() == 6
    assert done().is_replay
    session.refresh_from_db()
    assert (session.status, session.total_tokens, session.tool_calls) == ("active", 220, 2)
    check_invariants()


def test_it_leaves_nothing(session: AgentSession, owner: User) -> None:
    fails_everywhere(session, owner)


@pytest.mark.django_db(transaction=True)
def test_it_leaves_nothing_in_a_transaction_that_others_share(
    session: AgentSession, owner: User
) -> None:
    fails_everywhere(session, owner)
