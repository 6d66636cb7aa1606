"""Statuses that somebody asks for: a table of steps, each guarded and remembered."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sessions_app.actions.leases import Wanted, take_lease
from sessions_app.actions.refusals import Refused, SessionClosed, SessionLocked, WrongStatus
from sessions_app.actions.statuses import STEPS, change_status, step
from sessions_app.models import AgentSession, User
from tests.factories import NOON, make_session

pytestmark = pytest.mark.django_db

STATUSES = [str(status) for status in AgentSession.Status]
# From each status (row) by each verb (column): the status after it, or "-" for a refusal.
TABLE = """
            pause   complete   fail   crash    resume  work
created     paused  completed  error  crashed  active  active
active      paused  completed  error  crashed  active  active
paused      paused  completed  error  crashed  active  active
crashed     -       completed  error  crashed  active  active
completed   -       completed  -      -        active  -
error       -       -          error  -        active  -
expired     -       -          -      -        -       -
"""
VERBS, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
CASES = [(row[0], verb, after) for row in ROWS for verb, after in zip(VERBS, row[1:], strict=True)]


def test_the_table_is_complete() -> None:
    assert list(STEPS) == VERBS
    assert {row[0] for row in ROWS} == set(STATUSES)


@pytest.mark.parametrize(("before", "verb", "after"), CASES)
def test_each_step(owner: User, before: str, verb: str, after: str) -> None:
    session = make_session(owner, status=before)
    if after == "-":
        with pytest.raises(Refused) as refusal:
            change_status(session, verb, by=owner, now=NOON)
        assert isinstance(refusal.value, SessionClosed if verb == "work" else WrongStatus)
        assert refusal.value.details["status"] == before
    else:
        change_status(session, verb, by=owner, now=NOON)
    session.refresh_from_db()
    assert session.status == (before if after == "-" else after)
    changes = list(session.status_changes.values_list("status", "actor", "at"))
    assert changes == ([] if after in ("-", before) else [(after, owner.pk, NOON)])
    if after != before and after != "-":
        over = after in ("completed", "error", "crashed")
        assert session.ended_at == (NOON if over else None)


def test_an_end_keeps_its_error_and_exit_code_until_it_is_resumed(owner: User) -> None:
    session = make_session(owner)
    change_status(session, "fail", by=owner, now=NOON, error="no \0 disk", exit_code=2)
    session.refresh_from_db()
    assert (session.error, session.exit_code) == ("no ␀ disk", 2)
    change_status(session, "resume", by=owner, now=NOON, reason="r" * 999)
    session.refresh_from_db()
    assert (session.error, session.exit_code) == ("", None)
    assert len(session.status_changes.latest("pk").reason) == 300


def test_a_resumed_session_is_active_now_and_needs_no_heartbeat(owner: User) -> None:
    session = make_session(owner, status="crashed", heartbeat_at=NOON - timedelta(hours=1))
    resumed = change_status(session, "resume", by=owner, now=NOON)
    session.refresh_from_db()
    assert (session.last_active, session.heartbeat_at) == (NOON, None)
    assert (resumed.last_active, resumed.heartbeat_at) == (NOON, None)


def test_who_acts_on_an_old_row_is_refused(owner: User) -> None:
    session = make_session(owner)
    AgentSession.objects.filter(pk=session.pk).update(status="completed")
    with pytest.raises(WrongStatus):
        step(session, "pause", reason="late", by=owner, now=NOON)


def test_nobody_ends_what_somebody_has_locked(owner: User) -> None:
    session = make_session(owner)
    lease = take_lease(session, Wanted("one", owner), now=NOON)
    with pytest.raises(SessionLocked):
        change_status(session, "complete", by=owner, now=NOON)
    change_status(session, "complete", by=owner, now=NOON, fence=lease.fence)
    session.refresh_from_db()
    assert session.status == "completed"
