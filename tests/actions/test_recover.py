"""Recovering: from the latest good state, by one at a time."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from sessions_app.actions.heartbeat import mark_silent
from sessions_app.actions.leases import Wanted, take_lease
from sessions_app.actions.recover import recover_session
from sessions_app.actions.refusals import SessionClosed, SessionLocked, StaleFence
from sessions_app.actions.snapshots import save_snapshot
from sessions_app.models import AgentSession, Snapshot, User
from tests.factories import NOON, make_message, make_session

pytestmark = pytest.mark.django_db


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def session(owner: User) -> AgentSession:
    """Crashed at its sixth message; states of steps 2, 10 and 9 were saved in this order."""
    session = make_session(owner, heartbeat_at=NOON - timedelta(hours=1))
    for number, step in enumerate((2, 10, 9)):
        for _ in range(2):
            make_message(session, at=after(-100 + number))
        save_snapshot(session, step, b'{"step": %d}' % step, now=NOON)
    mark_silent(NOON)
    return session


def test_it_goes_on_from_the_highest_good_step(session: AgentSession, teammate: User) -> None:
    Snapshot.objects.create(session=session, step=11, received_at=NOON, problem="torn")
    Snapshot.objects.create(session=session, step=100, received_at=NOON, packed=b"not zstd", size=9)
    found = recover_session(session, by=teammate, now=NOON)
    assert (found.was, found.session.status, found.lease) == ("crashed", "active", None)
    assert found.latest.snapshot is not None
    assert (found.latest.snapshot.step, found.latest.state) == (10, b'{"step": 10}')
    assert [step for step, _ in found.latest.skipped] == [100, 11]
    assert found.after_seq == 4
    change = session.status_changes.latest("pk")
    assert (change.status, change.actor, change.reason) == (
        "active",
        teammate,
        "recovered by teammate",
    )


def test_recovering_twice_is_the_same_as_once(session: AgentSession, owner: User) -> None:
    first = recover_session(session, by=owner, now=NOON)
    second = recover_session(session, by=owner, now=after(1))
    assert (first.latest.state, first.after_seq) == (second.latest.state, second.after_seq)
    assert (first.was, second.was) == ("crashed", "active")
    assert session.status_changes.filter(status="active").count() == 1


def test_of_two_who_recover_one_wins_by_the_lease(
    session: AgentSession, owner: User, teammate: User
) -> None:
    winner = recover_session(session, wanted=Wanted("ci-1", owner), by=owner, now=NOON)
    assert winner.lease is not None
    for wanted in (Wanted("ci-2", teammate), None):
        with pytest.raises(SessionLocked, match="ci-1"):
            recover_session(session, wanted=wanted, by=teammate, now=after(1))
    again = recover_session(session, wanted=Wanted("ci-1", owner), by=owner, now=after(2))
    assert again.lease is not None
    with pytest.raises(StaleFence):
        recover_session(session, fence=winner.lease.fence, by=owner, now=after(3))
    recover_session(session, fence=again.lease.fence, by=owner, now=after(3))


def test_whoever_is_refused_has_changed_nothing(session: AgentSession, owner: User) -> None:
    take_lease(session, Wanted("one", owner), now=NOON)
    with pytest.raises(SessionLocked):
        recover_session(session, wanted=Wanted("two", owner), by=owner, now=NOON)
    session.refresh_from_db()
    assert session.status == "crashed"


def test_who_goes_on_is_not_marked_for_the_silence_before(owner: User) -> None:
    session = make_session(owner, heartbeat_at=after(-85))
    recover_session(session, by=owner, now=NOON)
    assert mark_silent(after(1000)) == 0


@pytest.mark.parametrize("status", ["completed", "error", "expired"])
def test_what_ended_on_purpose_is_not_recovered(owner: User, status: str) -> None:
    session = make_session(owner, status=status)
    with pytest.raises(SessionClosed):
        recover_session(session, by=owner, now=NOON)


def test_without_a_snapshot_the_whole_conversation_is_after_it(owner: User) -> None:
    session = make_session(owner, status="crashed")
    make_message(session)
    found = recover_session(session, by=owner, now=NOON)
    assert (found.latest.snapshot, found.after_seq) == (None, 0)


@pytest.mark.parametrize(("at", "seq"), [(-99, 4), (-98.5, 4), (-200, 0), (None, 0)])
def test_for_a_state_from_a_file_the_times_decide(
    session: AgentSession, owner: User, at: float | None, seq: int
) -> None:
    moment = None if at is None else after(at)
    Snapshot.objects.filter(step=10).update(at_seq=None, at=moment)
    assert recover_session(session, by=owner, now=NOON).after_seq == seq
