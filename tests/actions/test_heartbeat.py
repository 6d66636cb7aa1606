"""Heartbeats: three silences and a session has crashed, unless it is heard of after all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from sessions_app.actions.heartbeat import Beat, hear, mark_silent
from sessions_app.actions.leases import Wanted, take_lease
from sessions_app.actions.lifecycle import settle_quiet
from sessions_app.actions.refusals import SessionClosed, SessionLocked, StaleFence
from sessions_app.models import AgentSession, User
from tests.factories import NOON, make_session

pytestmark = pytest.mark.django_db


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def beating(owner: User, at: float = 0, **fields: Any) -> AgentSession:
    return make_session(owner, heartbeat_at=after(at), **fields)


def status_of(session: AgentSession) -> str:
    session.refresh_from_db()
    return session.status


def test_it_tells_what_the_agent_does(owner: User) -> None:
    session = make_session(owner, status="created")
    heard = hear(session, Beat(0.4, "tests\0", 20), by=owner, now=NOON)
    assert (heard.revived, heard.lease) == (False, None)
    assert status_of(session) == "active"
    told = (session.progress, session.current_task, session.total_steps, session.heartbeat_at)
    assert told == (0.4, "tests␀", 20, NOON)
    hear(session, Beat(), by=owner, now=after(10))
    session.refresh_from_db()
    assert (session.progress, session.current_task, session.last_active) == (
        0.4,
        "tests␀",
        after(10),
    )


def test_it_renews_the_lease_that_it_names(owner: User) -> None:
    session = make_session(owner)
    lease = take_lease(session, Wanted("one", owner, ttl=10), now=NOON)
    heard = hear(session, Beat(fence=lease.fence, ttl=10), by=owner, now=after(5))
    assert heard.lease is not None
    assert heard.lease.expires_at == after(15)
    with pytest.raises(SessionLocked):
        hear(session, Beat(), by=owner, now=after(6))
    with pytest.raises(StaleFence):
        hear(session, Beat(fence=lease.fence), by=owner, now=after(15))


@pytest.mark.parametrize(
    ("heard_at", "status"), [(-90.1, "crashed"), (-90, "active"), (0, "active")]
)
def test_three_silences_are_a_crash(owner: User, heard_at: float, status: str) -> None:
    session = beating(owner, heard_at)
    assert mark_silent(NOON) == (status == "crashed")
    assert status_of(session) == status
    if status == "crashed":
        assert session.ended_at == after(heard_at)
        [change] = session.status_changes.all()
        assert (change.reason, change.actor) == ("no heartbeat for 90 s", None)


@pytest.mark.parametrize("status", ["created", "paused", "completed", "error", "crashed"])
def test_only_active_sessions_fall_silent(owner: User, status: str) -> None:
    session = beating(owner, -1000, status=status)
    assert mark_silent(NOON) == 0
    assert status_of(session) == status


def test_who_never_sent_a_heartbeat_is_never_missed(owner: User) -> None:
    session = make_session(owner, last_active=NOON - timedelta(days=9))
    assert mark_silent(NOON) == 0
    assert status_of(session) == "active"


def test_a_late_heartbeat_brings_it_back_and_says_so(owner: User) -> None:
    session = beating(owner, -100)
    mark_silent(NOON)
    assert hear(session, Beat(), by=owner, now=after(1)).revived
    assert (status_of(session), session.ended_at) == ("active", None)
    assert session.status_changes.latest("pk").reason == "a late heartbeat: it was alive"
    assert mark_silent(after(80)) == 0
    assert not hear(session, Beat(), by=owner, now=after(81)).revived


@pytest.mark.parametrize("status", ["completed", "error", "expired"])
def test_what_has_ended_stays_so(owner: User, status: str) -> None:
    session = make_session(owner, status=status)
    with pytest.raises(SessionClosed):
        hear(session, Beat(), by=owner, now=NOON)


def test_a_paused_session_stays_paused(owner: User) -> None:
    session = make_session(owner, status="paused")
    hear(session, Beat(), by=owner, now=NOON)
    assert (status_of(session), session.heartbeat_at) == ("paused", NOON)


def test_a_server_that_has_just_started_gives_them_time(owner: User) -> None:
    session = beating(owner, -1000)
    assert mark_silent(NOON, listening_since=after(-89)) == 0
    assert mark_silent(NOON, listening_since=after(-90)) == 1
    assert status_of(session) == "crashed"


def test_a_quiet_file_whose_agent_is_heard_of_is_left_alone(owner: User) -> None:
    quiet: dict[str, Any] = {"turn": "open", "last_active": NOON - timedelta(hours=2)}
    heard, silent = beating(owner, -60, **quiet), make_session(owner, **quiet)
    assert settle_quiet(NOON) == 1
    assert (status_of(heard), status_of(silent)) == ("active", "crashed")


def test_when_nobody_is_silent_one_look_is_enough(
    owner: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    beating(owner)
    with django_assert_num_queries(1):
        mark_silent(NOON)


def test_who_is_heard_of_while_others_look_is_left_alone(owner: User) -> None:
    session = beating(owner, -1000)
    looks = []

    def heard_after_the_look(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        answer = execute(sql, params, many, context)
        looks.append(sql)
        if len(looks) == 1:
            hear(session, Beat(), by=owner, now=NOON)
        return answer

    with connection.execute_wrapper(heard_after_the_look):
        assert mark_silent(NOON) == 0
    assert status_of(session) == "active"
    assert not session.status_changes.exists()
