"""Windows of a conversation, what changed in it, and what belongs to a session."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sessions_app.models import AgentSession, Artifact, Relation, Snapshot, User
from sessions_app.models.session import audience_of_user
from sessions_app.queries import transcript
from sessions_app.queries.transcript import Wanted
from tests.factories import NOON, make_call, make_message, make_session, make_usage, tag


@pytest.fixture
def session(owner: User) -> AgentSession:
    return make_session(owner)


def seqs(window: transcript.Window) -> list[int]:
    return [message.seq for message in window.messages]


def fill(session: AgentSession, count: int) -> None:
    for _ in range(count):
        make_message(session, "x", kind="prompt")


@pytest.mark.parametrize(
    ("wanted", "first", "last", "before", "after"),
    [
        (Wanted(), 1, 100, False, True),
        (Wanted(after=100), 101, 120, True, False),
        (Wanted(after=20), 21, 120, True, False),
        (Wanted(before=101), 1, 100, False, True),
        (Wanted(before=51), 1, 50, False, True),
        (Wanted(last=True), 21, 120, True, False),
        (Wanted(at=60), 57, 120, True, False),
        (Wanted(at=2), 1, 100, False, True),
    ],
)
def test_a_window_knows_its_place(
    session: AgentSession, wanted: Wanted, first: int, last: int, before: bool, after: bool
) -> None:
    fill(session, 120)
    window = transcript.window(session, wanted)
    assert (seqs(window)[0], seqs(window)[-1]) == (first, last)
    assert (window.has_before, window.has_after) == (before, after)


def test_another_session_is_never_in_the_window(owner: User, session: AgentSession) -> None:
    other = make_session(owner)
    make_message(other, "other")
    make_message(session, "mine")
    assert [message.text for message in transcript.window(session, Wanted()).messages] == ["mine"]


@pytest.mark.parametrize(
    ("role", "kind", "is_hidden"),
    [
        ("user", "prompt", False),
        ("user", "injected", True),
        ("system", "", True),
        ("system", "injected", True),
        ("system", "error", False),
        ("system", "compaction", False),
        ("system", "command", False),
        ("system", "note", False),
        ("assistant", "answer", False),
        ("tool", "note", False),
    ],
)
def test_what_is_hidden(session: AgentSession, role: str, kind: str, is_hidden: bool) -> None:
    make_message(session, "x", role=role, kind=kind)
    assert bool(transcript.window(session, Wanted()).messages) is not is_hidden
    assert transcript.window(session, Wanted(hidden=True)).messages


def test_a_window_holds_calls_in_order_and_only_their_beginnings(session: AgentSession) -> None:
    message = make_message(session, "x", role="assistant")
    make_call(message, "B", "{}", "y" * 900, ordinal=1)
    make_call(message, "A", "{}", "y" * 900, ordinal=0)
    calls = transcript.window(session, Wanted()).calls[message.pk]
    assert [call.name for call in calls] == ["A", "B"]
    assert calls[0].output_preview == "y" * 200


def test_only_the_beginning_of_long_words_is_fetched(session: AgentSession) -> None:
    make_message(session, "a" * 30_000, thinking="b" * 21_000)
    words = transcript.window(session, Wanted()).messages[0]
    assert len(words.text) == len(words.thinking) == transcript.TEXT_SHOWN
    assert (words.text_size, words.thinking_size) == (30_000, 21_000)
    whole = transcript.one_message(session, 1)
    assert whole is not None
    assert whole.text == "a" * 30_000


def test_usage_of_several_responses_is_added_up(session: AgentSession) -> None:
    message = make_message(session, "x", role="assistant")
    make_usage(session, "r1", input=1, output=2, cache_read=3, cache_write=4, cost=Decimal(1))
    make_usage(session, "r2", input=10, output=20, cost=Decimal("0.5"), is_recorded=True)
    session.usage_links.update(message=message)
    spent = transcript.window(session, Wanted()).spent[message.pk]
    assert spent == (11, 22, 3, 4, Decimal("1.5"), True)
    assert spent.total == 40


def test_changes_come_in_the_order_in_which_they_happened(session: AgentSession) -> None:
    fill(session, 3)
    first = session.messages.get(seq=1)
    first.revision = session.revision + 1
    first.save()
    assert seqs(transcript.changes(session, 1, 0, None, hidden=False)) == [2, 3, 1]
    assert seqs(transcript.changes(session, 1, 2, None, hidden=False)) == [2, 3]
    assert seqs(transcript.changes(session, 1, 0, 2, hidden=False)) == [2, 1]
    assert seqs(transcript.changes(session, 4, 0, None, hidden=False)) == []


def test_the_outline_holds_200_prompts_at_most(session: AgentSession) -> None:
    fill(session, 201)
    prompts = transcript.prompts(session)
    assert len(prompts) == 200
    assert prompts[0] == (1, "x")


def test_kin_are_only_those_whom_the_person_may_see(
    owner: User, stranger: User, session: AgentSession
) -> None:
    private = {"visibility": "private", "audience": audience_of_user(owner.pk)}
    parent, child = make_session(owner), make_session(owner, **private)
    gone = make_session(owner, trashed_at=NOON)
    Relation.objects.create(child=session, parent=parent, kind="fork", forked_at_seq=4)
    Relation.objects.create(child=child, parent=session, kind="subagent", call_id="c")
    Relation.objects.create(child=gone, parent=session, kind="fork", parent_identity="x")
    Relation.objects.create(child=session, kind="fork", parent_identity="unknown")
    mine = transcript.kin(session, owner)
    assert [(kin.relation, kin.is_parent, kin.session.pk) for kin in mine] == [
        ("fork", True, parent.pk),
        ("subagent", False, child.pk),
    ]
    assert [kin.session.pk for kin in transcript.kin(session, stranger)] == [parent.pk]
    assert transcript.started_by(session, ["c", "d"], owner) == {"c": child}
    assert transcript.started_by(session, ["c"], stranger) == {}


def test_belongings_come_in_one_query(session: AgentSession) -> None:
    tag(session, "b", "a")
    for step in (2, 10, 4):
        Snapshot.objects.create(session=session, step=step, received_at=NOON, size=step)
    Artifact.objects.create(
        session=session, path="x.txt", sha256="0" * 64, size=7, received_at=NOON
    )
    with CaptureQueriesContext(connection) as queries:
        found = transcript.belongings(session)
    assert len(queries) == 1
    assert found.tags == ["a", "b"]
    assert [state.step for state in found.snapshots] == [10, 4, 2]
    assert found.snapshots[0].at == NOON
    assert [(file.path, file.size) for file in found.artifacts] == [("x.txt", 7)]
