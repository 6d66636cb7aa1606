"""Waiting for a lease takes neither a connection nor more than a few threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import connection

from sessions_app.actions import lease_waiting
from sessions_app.actions.lease_waiting import MOST_WAITERS, try_until_free
from sessions_app.actions.leases import Wanted, release_lease, take_lease
from sessions_app.actions.refusals import SessionLocked
from sessions_app.models import AgentSession, SessionLease, User
from tests.factories import make_session

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session(owner: User) -> AgentSession:
    return make_session(owner)


def held(session: AgentSession, owner: User, ttl: float = 60) -> SessionLease:
    return take_lease(session, Wanted("first", owner, ttl=ttl), now=datetime.now(UTC))


def wait(session: AgentSession, owner: User, seconds: float) -> SessionLease:
    wanted = Wanted("second", owner)
    return try_until_free(
        session, wanted, seconds, lambda: take_lease(session, wanted, now=datetime.now(UTC))
    )


def in_a_thread(act: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_free_one_is_taken_at_once(session: AgentSession, owner: User) -> None:
    assert wait(session, owner, 0).holder == "second"


def test_who_waits_gets_it_when_it_is_given_back(session: AgentSession, owner: User) -> None:
    lease = held(session, owner)
    other = in_a_thread(lambda: release_lease(session, lease.fence))
    assert wait(session, owner, 30).fence > lease.fence
    other.join()


def test_who_waits_gets_it_when_it_runs_out(session: AgentSession, owner: User) -> None:
    lease = held(session, owner, ttl=0.3)
    assert wait(session, owner, 30).fence > lease.fence


@pytest.mark.parametrize("seconds", [0, 0.3])
def test_when_the_time_is_up_it_says_who_holds_it(
    session: AgentSession, owner: User, seconds: float
) -> None:  # K11
    held(session, owner)
    with pytest.raises(SessionLocked, match="Locked by first until"):
        wait(session, owner, seconds)


def test_only_a_few_wait_and_the_others_are_refused_at_once(
    session: AgentSession, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = held(session, owner)
    resting, go_on = threading.Semaphore(0), threading.Event()

    def rest(seconds: float) -> None:
        connection.close()
        resting.release()
        go_on.wait(30)

    monkeypatch.setattr(lease_waiting, "_rest", rest)
    waiters = [in_a_thread(lambda: wait(session, owner, 30)) for _ in range(MOST_WAITERS)]
    for _ in waiters:
        assert resting.acquire(timeout=30)
    with pytest.raises(SessionLocked):
        wait(session, owner, 30)
    release_lease(session, lease.fence)
    go_on.set()
    for waiter in waiters:
        waiter.join()


def test_no_connection_is_kept_while_waiting(session: AgentSession, owner: User) -> None:
    held(session, owner, ttl=0.2)
    before = connection.connection
    wait(session, owner, 30)
    assert connection.connection is not before
