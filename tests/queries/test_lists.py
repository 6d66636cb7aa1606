"""Pages of sessions: order, ways on, counts, and who sees what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sessions_app.models import AgentSession, Relation, User
from sessions_app.models.session import audience_of_user
from sessions_app.queries import lists
from sessions_app.queries.lists import SORTS, SessionPage, list_sessions
from tests.factories import NOON, make_project, make_session, tag


def many(owner: User, count: int, **fields: Any) -> list[AgentSession]:
    """The newest first; every third has the same sort keys as its neighbour."""
    return [
        make_session(
            owner,
            title=f"number {number}",
            created_at=NOON - timedelta(minutes=number // 3),
            last_active=NOON - timedelta(minutes=number // 3),
            total_tokens=number // 3,
            cost=Decimal(number // 3) / 1000,
            message_count=number // 3,
            duration_seconds=None if number < 3 else number / 7,
            size_bytes=number // 3,
            **fields,
        )
        for number in range(count)
    ]


def walk(user: User, params: dict[str, Any]) -> list[SessionPage]:
    """All pages from the first to the last."""
    pages = [list_sessions(user, params, now=NOON)]
    while pages[-1].next:
        pages.append(list_sessions(user, {**params, "cursor": pages[-1].next}, now=NOON))
    return pages


@pytest.mark.parametrize("sort", [f"{sign}{name}" for name in SORTS for sign in ("", "-")])
def test_every_order_meets_every_session_once_in_both_directions(owner: User, sort: str) -> None:
    many(owner, 23)
    pages = walk(owner, {"sort": sort, "limit": "5"})
    ids = [[session.pk for session in page.items] for page in pages]
    assert [len(part) for part in ids] == [5, 5, 5, 5, 3]
    flat = [pk for part in ids for pk in part]
    assert len(set(flat)) == 23
    value = SORTS[sort.lstrip("-")].value
    keys = [value(session) for page in pages for session in page.items]
    assert keys == sorted(keys, reverse=sort.startswith("-"))
    assert [page.position for page in pages] == [0, 5, 10, 15, 20]
    back = pages[-1]
    for expected in reversed(ids[:-1]):
        assert back.previous
        params = {"sort": sort, "limit": "5", "cursor": back.previous}
        back = list_sessions(owner, params, now=NOON)
        assert [session.pk for session in back.items] == expected
    assert back.previous is None
    assert (back.position, back.total) == (0, 23)


def test_a_row_that_arrives_while_somebody_turns_pages_shifts_nothing(owner: User) -> None:
    old = many(owner, 12)
    first = list_sessions(owner, {"limit": "5"}, now=NOON)
    make_session(owner, last_active=NOON + timedelta(minutes=1))
    second = list_sessions(owner, {"limit": "5", "cursor": first.next}, now=NOON)
    assert {s.pk for s in first.items + second.items} == {
        s.pk for s in sorted(old, key=lambda s: (s.last_active, s.pk), reverse=True)[:10]
    }


def test_going_back_past_the_start_is_the_first_page(owner: User) -> None:
    many(owner, 12)
    second = list_sessions(
        owner, {"limit": "5", "cursor": list_sessions(owner, {"limit": "5"}).next}
    )
    AgentSession.objects.filter(last_active=NOON).delete()
    back = list_sessions(owner, {"limit": "5", "cursor": second.previous})
    assert (back.position, len(back.items), back.previous) == (0, 5, None)


def test_the_total_stops_counting(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "COUNT_CAP", 10)
    many(owner, 13)
    pages = walk(owner, {"limit": "5"})
    assert [(page.total, page.total_is_capped) for page in pages] == [(11, True)] * 3
    assert sum(len(page.items) for page in pages) == 13


def test_stranger_sees_nothing_not_even_a_count(
    owner: User, teammate: User, stranger: User
) -> None:
    many(owner, 3, audience=audience_of_user(owner.pk))
    make_session(teammate, title="open to all")
    assert list_sessions(owner, {}).total == 4
    page = list_sessions(stranger, {"limit": "1"})
    assert ([s.title for s in page.items], page.total, page.next) == (["open to all"], 1, None)


def test_rows_bring_what_is_shown_beside_them(owner: User, teammate: User) -> None:
    teammate.first_name, teammate.last_name = "Tea", "Mate"
    teammate.save()
    session = make_session(teammate, project=make_project("shop"))
    tag(session, "b", "a")
    for kind in ("fork", "subagent"):
        child = make_session(owner, kind="subagent", last_active=NOON)
        Relation.objects.create(child=child, parent=session, parent_identity="x", kind=kind)
    row = list_sessions(owner, {}).rows[0]
    assert (row.owner, row.project, row.tags) == ("Tea Mate", "shop", ["a", "b"])
    assert (row.is_fork, row.subagents) == (False, 1)
    assert any(row.is_fork for row in list_sessions(owner, {"kind": "all"}).rows)


def test_ten_more_rows_need_no_more_queries(owner: User) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            page = list_sessions(owner, {}, now=NOON)
            assert all(str(row.session) and row.owner for row in page.rows)
        return len(queries)

    for session in many(owner, 2):
        tag(session, "a")
    few = count()
    for session in many(owner, 10, project=make_project()):
        tag(session, "a", "b")
    assert count() == few <= 5


@pytest.mark.parametrize("whole", [False, True])
def test_whole_reads_every_column_at_once(
    owner: User, whole: bool, django_assert_num_queries: Callable[[int], Any]
) -> None:
    make_session(owner, metadata={"exit_code": 0})
    session = list_sessions(owner, {}, whole=whole).items[0]
    with django_assert_num_queries(0 if whole else 1):
        assert session.metadata == {"exit_code": 0}
