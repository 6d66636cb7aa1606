"""A fork has its parent's past, and none of its bill."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sessions_app.actions.fork import fork_session
from sessions_app.actions.record import store
from sessions_app.actions.refusals import BadValue, NoTrace
from sessions_app.models import (
    AgentSession,
    Artifact,
    Message,
    Relation,
    Snapshot,
    Usage,
    User,
)
from sessions_app.queries.transcript import Wanted, kin, window
from sessions_app.records import CALL, IMAGE, TEXT, Block, MessageRecord, ToolResult
from tests.actions.conftest import START, Recorder, billed, said, told
from tests.dump import dump
from tests.factories import NOON, tag
from tests.faults import fail_everywhere
from tests.invariants import check_invariants

pytestmark = pytest.mark.django_db


@pytest.fixture
def parent(tell: Recorder) -> AgentSession:
    """Six messages: two prompts, two billed answers with calls and an image, two more words."""
    answers = [
        MessageRecord(
            f"answer-{number}",
            "assistant",
            [Block(TEXT, f"Answer {number}"), Block(CALL, "{}", f"call-{number}", "Bash")],
            "answer",
            START,
        )
        for number in (1, 2)
    ]
    answers[0].blocks.append(Block(IMAGE, media_type="image/png", data=b"\x89PNG"))
    record = told(
        title="A title",
        work_dir="/projects/shop",
        messages=[
            *(said("first-message-of-it", "Do it"), answers[0]),
            *(said("third", "And now?"), answers[1], said("fifth"), said("sixth")),
        ],
        results=[ToolResult("call-1", "done", is_error=True, at=START)],
        usages=[billed("r1", message_key="answer-1"), billed("r2", message_key="answer-2")],
    )
    tell(record)
    session = AgentSession.objects.get()
    tag(session, "shop", "urgent")
    return session


def test_a_fork_is_a_new_session_with_the_past_of_its_parent(
    parent: AgentSession, teammate: User
) -> None:  # part of C12
    before = dump()
    child = fork_session(parent, at_seq=3, by=teammate, now=NOON)
    check_invariants()
    child.refresh_from_db()
    assert (child.owner, child.source, child.status) == (teammate, "fork", "created")
    assert (child.title, child.work_dir, child.last_seq) == ("A title", "/projects/shop", 3)
    assert sorted(child.tags.values_list("name", flat=True)) == ["shop", "urgent"]
    link = Relation.objects.get(child=child)
    assert (link.parent, link.kind, link.forked_at_seq) == (parent, "fork", 3)
    old, new = (window(session, Wanted()) for session in (parent, child))
    assert [row.text for row in new.messages] == [row.text for row in old.messages[:3]]
    [call] = new.calls[new.messages[1].pk]
    assert (call.name, call.ended, call.is_error) == ("Bash", True, True)
    assert len(new.images[new.messages[1].pk]) == 1
    child.delete()
    assert dump() == before


def test_what_was_billed_stays_the_parents(parent: AgentSession, owner: User) -> None:
    child = fork_session(parent, at_seq=3, by=owner, now=NOON)
    check_invariants()
    assert (child.total_tokens, child.inherited_tokens) == (110, 110)
    assert child.cost == child.inherited_cost > 0
    assert set(Usage.objects.values_list("session", flat=True)) == {parent.pk}
    whole = fork_session(parent, by=owner, now=NOON)
    assert (whole.last_seq, whole.inherited_tokens, whole.open_tool_calls) == (6, 220, 1)
    check_invariants()


def test_a_fork_of_a_fork(parent: AgentSession, owner: User) -> None:
    child = fork_session(parent, at_seq=4, by=owner, now=NOON)
    grandchild = fork_session(child, at_seq=2, by=owner, now=NOON)
    check_invariants()
    assert grandchild.inherited_tokens == 110
    assert {(link.relation, link.is_parent) for link in kin(child, owner)} == {
        ("fork", True),
        ("fork", False),
    }


def test_the_parents_file_may_grow_and_be_read_anew_afterwards(
    parent: AgentSession, owner: User, tell: Recorder
) -> None:
    child = fork_session(parent, by=owner, now=NOON)
    tell(told(messages=[said("seventh")], usages=[billed("r3", message_key="seventh")]))
    record = told(messages=[said("first-message-of-it"), said("other")])
    store([tell.part(record, replace=True)], tell.collector())
    check_invariants()
    child.refresh_from_db()
    link = Relation.objects.get()
    assert (link.child, link.parent, child.last_seq) == (child, parent, 6)


@pytest.mark.parametrize("seq", [0, -1, 7, 2**62])
def test_it_parts_at_a_message_that_is_there(parent: AgentSession, owner: User, seq: int) -> None:
    with pytest.raises(BadValue):
        fork_session(parent, at_seq=seq, by=owner, now=NOON)
    assert AgentSession.objects.count() == 1


def test_a_session_without_messages_can_be_forked(owner: User, tell: Recorder) -> None:
    tell(told())
    child = fork_session(AgentSession.objects.get(), by=owner, now=NOON)
    assert (child.last_seq, child.message_count) == (0, 0)
    check_invariants()


def test_nothing_of_an_ephemeral_session_is_kept_in_a_fork(
    parent: AgentSession, owner: User
) -> None:
    parent.is_ephemeral = True
    with pytest.raises(NoTrace):
        fork_session(parent, by=owner, now=NOON)


def test_what_was_saved_by_then_comes_along(parent: AgentSession, owner: User) -> None:
    received = Message.objects.get(session=parent, seq=3).received_at
    late = received + timedelta(seconds=1)
    Message.objects.filter(session=parent, seq__gt=3).update(received_at=late)
    for step, at_seq, at in ((1, 3, late), (2, 4, late), (3, None, received), (4, None, late)):
        Snapshot.objects.create(
            session=parent, step=step, at_seq=at_seq, received_at=at, packed=b"x"
        )
    for path, at in (("early.txt", received), ("late.txt", late)):
        Artifact.objects.create(session=parent, path=path, sha256="a" * 64, size=1, received_at=at)
    child = fork_session(parent, at_seq=3, by=owner, now=NOON)
    assert list(child.snapshots.values_list("step", flat=True)) == [1, 3]
    assert list(child.artifacts.values_list("path", flat=True)) == ["early.txt"]
    whole = fork_session(parent, by=owner, now=NOON)
    assert (whole.snapshots.count(), whole.artifacts.count()) == (4, 2)


def test_a_fork_that_fails_at_any_step_leaves_nothing(parent: AgentSession, owner: User) -> None:
    before = dump()

    def check() -> None:
        check_invariants()
        if AgentSession.objects.count() == 1:
            assert dump() == before

    steps = fail_everywhere(lambda: fork_session(parent, at_seq=4, by=owner, now=NOON), check)
    assert steps > 10
    assert AgentSession.objects.count() == 2
