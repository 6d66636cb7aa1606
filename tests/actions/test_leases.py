"""Leases: one writer or many readers, an end by itself, and numbers that go stale."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from sessions_app.actions.leases import (
    LONGEST_TTL,
    Wanted,
    check_fence,
    release_lease,
    renew_lease,
    take_lease,
)
from sessions_app.actions.refusals import SessionLocked, StaleFence
from sessions_app.models import AgentSession, AuditEntry, SessionLease, User
from tests.factories import NOON, make_session

pytestmark = pytest.mark.django_db


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def session(owner: User) -> AgentSession:
    return make_session(owner)


def take(
    session: AgentSession, by: User, holder: str = "one", at: float = 0, **more: Any
) -> SessionLease:
    return take_lease(session, Wanted(holder, by, **more), now=after(at))


@pytest.mark.parametrize(
    ("first", "second", "goes"),
    [
        ("exclusive", "exclusive", False),
        ("exclusive", "shared", False),
        ("shared", "exclusive", False),
        ("shared", "shared", True),
    ],
)
def test_one_writes_or_many_read(
    session: AgentSession, owner: User, first: str, second: str, goes: bool
) -> None:
    take(session, owner, mode=first)
    if goes:
        take(session, owner, "two", mode=second)
        assert SessionLease.objects.count() == 2
        return
    with pytest.raises(SessionLocked, match="one until 2026-11-21 12:00:30 UTC") as refusal:
        take(session, owner, "two", mode=second)
    assert refusal.value.details == {"holder": "one", "mode": first, "expires_at": after(30)}
    assert SessionLease.objects.count() == 1


def test_a_lease_ends_by_itself_and_its_take_over_is_audited(
    session: AgentSession, owner: User, teammate: User
) -> None:  # C4
    old = take(session, owner, ttl=10)
    with pytest.raises(SessionLocked):
        take(session, teammate, "two", at=9.9)
    new = take(session, teammate, "two", at=10)
    assert new.fence > old.fence
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.target) == (
        "lease.take_over",
        teammate,
        session.short_id,
    )
    assert (entry.details["from"], entry.details["to"]) == ("one", "two")


def test_who_comes_again_gets_a_new_number_and_the_old_one_is_stale(
    session: AgentSession, owner: User
) -> None:
    old, new = take(session, owner), take(session, owner)
    with pytest.raises(StaleFence):
        check_fence(session, old.fence, now=NOON)
    check_fence(session, new.fence, now=NOON)
    assert not AuditEntry.objects.exists()


def test_the_same_name_of_another_person_is_another_holder(
    session: AgentSession, owner: User, teammate: User
) -> None:
    take(session, owner)
    with pytest.raises(SessionLocked):
        take(session, teammate)


def test_a_reader_alone_becomes_the_writer(session: AgentSession, owner: User) -> None:
    take(session, owner, mode="shared")
    assert take(session, owner).mode == "exclusive"
    assert SessionLease.objects.count() == 1


def test_a_write_is_checked(session: AgentSession, owner: User) -> None:
    check_fence(session, None, now=NOON)
    with pytest.raises(StaleFence):
        check_fence(session, 7, now=NOON)
    lease = take(session, owner, ttl=10)
    check_fence(session, lease.fence, now=after(9))
    with pytest.raises(SessionLocked):
        check_fence(session, None, now=after(9))
    with pytest.raises(StaleFence):
        check_fence(make_session(owner), lease.fence, now=after(9))
    with pytest.raises(StaleFence):
        check_fence(session, lease.fence, now=after(10))
    check_fence(session, None, now=after(10))


def test_readers_stop_no_writer_without_a_lock(session: AgentSession, owner: User) -> None:
    take(session, owner, mode="shared")
    check_fence(session, None, now=NOON)


def test_renewing_lasts_until_it_is_over(session: AgentSession, owner: User) -> None:
    lease = take(session, owner, ttl=10)
    assert renew_lease(session, lease.fence, ttl=10, now=after(9)).expires_at == after(19)
    with pytest.raises(StaleFence):
        renew_lease(session, lease.fence, ttl=10, now=after(19))


def test_no_lease_is_longer_than_an_hour(session: AgentSession, owner: User) -> None:
    lease = take(session, owner, ttl=1e9)
    assert lease.expires_at == after(LONGEST_TTL)
    assert renew_lease(session, lease.fence, ttl=1e9, now=after(5)).expires_at == after(3605)


def test_what_is_given_back_is_free_and_cannot_be_given_back_twice(
    session: AgentSession, owner: User
) -> None:
    lease = take(session, owner)
    release_lease(session, lease.fence)
    with pytest.raises(StaleFence):
        release_lease(session, lease.fence)
    with pytest.raises(StaleFence):
        check_fence(session, lease.fence, now=NOON)
    assert take(session, owner, "two").fence > lease.fence


def test_a_holder_may_be_called_anything(session: AgentSession, owner: User) -> None:
    lease = take(session, owner, "a\0b\ud800\n" + "x" * 300)
    lease.refresh_from_db()
    assert lease.holder.startswith("a␀b")
    assert len(lease.holder) == 200
    assert take(session, owner, "a\0b\ud800\n" + "x" * 300).fence > lease.fence
