"""Statuses that follow from silence and from running processes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sessions_app.actions.lifecycle import settle_live, settle_quiet
from sessions_app.models import AgentSession, StatusChange, User
from tests.factories import make_session

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUIET = NOW - timedelta(minutes=31)


def a_session(owner: User, turn: str, last_active: datetime = QUIET) -> AgentSession:
    return make_session(
        owner,
        status="active",
        turn=turn,
        last_active=last_active,
        created_at=last_active,
        message_count=2,
    )


@pytest.mark.parametrize(
    ("turn", "status"),
    [("open", "crashed"), ("ended", "completed"), ("aborted", "paused"), ("failed", "error")],
)
def test_after_half_an_hour_of_quiet_the_last_turn_decides(
    owner: User, turn: str, status: str
) -> None:
    session = a_session(owner, turn)
    assert settle_quiet(NOW) == 1
    session.refresh_from_db()
    assert session.status == status
    change = StatusChange.objects.get(session=session, status=status)
    assert change.reason


def test_a_fresh_or_living_session_stays_active(owner: User) -> None:
    fresh = a_session(owner, "open", NOW - timedelta(minutes=29))
    living = a_session(owner, "open")
    assert settle_quiet(NOW, alive={living.identity}) == 0
    for session in (fresh, living):
        session.refresh_from_db()
        assert session.status == "active"


def test_a_dead_process_with_an_open_turn_has_crashed_at_once(owner: User) -> None:
    open_turn = a_session(owner, "open", NOW)
    waiting = a_session(owner, "ended", NOW)
    live = {open_turn.identity: False, waiting.identity: False}
    settle_live(live, backend=open_turn.backend, collector=owner, now=NOW)
    open_turn.refresh_from_db()
    waiting.refresh_from_db()
    assert (open_turn.status, waiting.status) == ("crashed", "active")


def test_a_living_process_brings_its_session_back(owner: User) -> None:
    session = a_session(owner, "ended")
    settle_quiet(NOW)
    settle_live({session.identity: True}, backend=session.backend, collector=owner, now=NOW)
    session.refresh_from_db()
    assert session.status == "active"
    assert [change.status for change in session.status_changes.all()][-2:] == [
        "completed",
        "active",
    ]
