"""What the overview finds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from sessions_app.models import AgentSession, UsageRollup, User
from sessions_app.models.session import audience_of_user
from sessions_app.queries.overview import UNFINISHED_SHOWN, overview
from tests.factories import NOON, make_session

HOUR = timedelta(hours=1)


def spend(session: AgentSession, quarter: datetime, **fields: Any) -> None:
    plain: dict[str, Any] = {
        "responses": 1, "input": 10, "output": 20, "cache_read": 30, "cache_write": 40,
        "cost": Decimal("0.25"), "recorded_cost": Decimal("0.05"),
    }  # fmt: skip
    UsageRollup.objects.create(
        session=session, quarter=quarter, model=f"m{UsageRollup.objects.count()}",
        **{**plain, **fields},
    )  # fmt: skip


@pytest.fixture
def shanghai() -> Iterator[None]:
    with timezone.override("Asia/Shanghai"):
        yield


def test_unfinished_are_crashed_ones_and_abandoned_open_turns(owner: User) -> None:
    crashed = make_session(owner, status="crashed", last_active=NOON - 5 * HOUR)
    abandoned = make_session(owner, turn="open", last_active=NOON - HOUR)
    make_session(owner, turn="open", last_active=NOON - timedelta(minutes=29))
    make_session(owner, turn="ended", last_active=NOON - HOUR)
    make_session(owner, turn="open", status="completed", last_active=NOON - HOUR)
    make_session(owner, status="crashed", kind="subagent")
    found = overview(owner, NOON)
    assert [row.session for row in found.unfinished] == [abandoned, crashed]
    assert found.unfinished_count == 2


def test_only_the_newest_unfinished_are_shown_and_all_are_counted(owner: User) -> None:
    for number in range(UNFINISHED_SHOWN + 3):
        make_session(owner, status="crashed", last_active=NOON - number * HOUR)
    found = overview(owner, NOON)
    assert (len(found.unfinished), found.unfinished_count) == (5, 8)


def test_one_goes_on_with_the_latest_resumable_session_of_ones_own(
    owner: User, teammate: User
) -> None:
    wanted = make_session(owner, last_active=NOON - HOUR)
    make_session(owner, backend_session_id="")
    make_session(owner, kind="subagent")
    make_session(teammate)
    found = overview(owner, NOON)
    assert found.resumable is not None
    assert found.resumable.session == wanted
    assert len(found.latest) == 3


def test_nothing_of_others_is_shown_or_counted(owner: User, stranger: User) -> None:
    session = make_session(
        owner, status="crashed", is_sample=True, audience=audience_of_user(owner.pk)
    )
    spend(session, NOON)
    found = overview(stranger, NOON)
    assert (found.by_status, found.unfinished, found.latest) == ({}, [], [])
    assert (found.resumable, found.has_samples, found.activity.month.tokens) == (None, False, 0)
    mine = overview(owner, NOON)
    assert (mine.by_status, mine.has_samples) == ({"crashed": 1}, True)


def test_sub_agents_are_spend_but_no_sessions(owner: User) -> None:
    spend(make_session(owner), NOON)
    spend(make_session(owner, kind="subagent"), NOON)
    found = overview(owner, NOON)
    assert found.by_status == {"active": 1}
    assert found.activity.month.responses == 2


def test_the_month_tells_recorded_from_estimated_and_counts_the_unpriced(owner: User) -> None:
    session = make_session(owner)
    spend(session, NOON)
    spend(session, NOON, cost=0, recorded_cost=0, unpriced_responses=1)
    month = overview(owner, NOON).activity.month
    assert (month.input, month.output, month.cache, month.tokens) == (20, 40, 140, 200)
    assert (month.cost, month.recorded, month.estimated) == (
        Decimal("0.25"),
        Decimal("0.05"),
        Decimal("0.20"),
    )
    assert (month.responses, month.unpriced) == (2, 1)


def test_days_and_months_are_those_of_the_reader(owner: User, shanghai: None) -> None:
    now = datetime(2026, 11, 1, 3, tzinfo=NOON.tzinfo)  # 11:00 on the first in Shanghai
    session = make_session(owner)
    spend(session, datetime(2026, 10, 31, 15, 45, tzinfo=NOON.tzinfo))  # 23:45 on the 31st
    spend(session, datetime(2026, 10, 31, 16, 0, tzinfo=NOON.tzinfo))  # 0:00 on the first
    found = overview(owner, now).activity
    assert found.month.responses == 1
    assert found.days[date(2026, 10, 31)].responses == 1
    assert found.days[date(2026, 11, 1)].responses == 1


def test_there_are_thirty_days_and_the_whole_month_on_its_last_day(owner: User) -> None:
    now = NOON.replace(month=10, day=31)
    spend(make_session(owner), now.replace(day=1))
    found = overview(owner, now).activity
    assert list(found.days)[0] == date(2026, 10, 2)
    assert len(found.days) == 30
    assert found.month.responses == 1


def test_a_day_of_a_time_change_keeps_its_hours(owner: User) -> None:
    with timezone.override("Europe/Berlin"):
        session = make_session(owner)
        for hour in range(-2, 23):  # 25 hours from midnight to midnight
            spend(session, datetime(2026, 10, 25, tzinfo=NOON.tzinfo) + hour * HOUR)
        found = overview(owner, NOON.replace(month=10, day=26)).activity
        assert found.days[date(2026, 10, 25)].responses == 25


def test_ten_more_sessions_need_no_more_queries(owner: User) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            overview(owner, NOON)
        return len(queries)

    spend(make_session(owner, status="crashed"), NOON)
    few = count()
    for number in range(10):
        spend(make_session(owner, status="crashed"), NOON - number * HOUR)
    assert count() <= few + 1  # more than are shown are counted
