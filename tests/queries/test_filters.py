"""Every filter of the contract, by what it finds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.http import QueryDict
from django.utils import timezone

from sessions_app.models import AgentSession, Artifact, Relation, Snapshot, User
from sessions_app.queries.filters import FILTERS
from sessions_app.queries.lists import list_sessions
from tests.factories import NOON, make_project, make_session, tag

TITLES = {
    "auth": "Fix the login of the SHOP",
    "docs": "写一份中文说明",
    "crash": "Ünite the parsers",
    "agent": "Look for 100% of the_bugs",
}


@pytest.fixture
def sessions(owner: User, teammate: User) -> dict[str, AgentSession]:
    """Four sessions that every filter tells apart."""
    shop = make_project("shop")
    first = make_session(
        owner, short_id="auth00000000", title=TITLES["auth"], project=shop, host="Laptop",
        work_dir="/src/shop", model="claude-opus-4-5", description="about cookies",
    )  # fmt: skip
    tag(first, "auth", "bug")
    second = make_session(
        teammate, short_id="d0cs00000000", title=TITLES["docs"], backend="codex", model="gpt-5",
        status="completed", work_dir="/src/shop/docs", last_active=NOON - timedelta(days=3),
        backend_session_id="",
    )  # fmt: skip
    tag(second, "auth")
    third = make_session(
        owner, short_id="crash0000000", title=TITLES["crash"], status="crashed", tool_errors=2,
        work_dir="/src/shopping", last_active=NOON - timedelta(days=40),
        backend_session_id="0198f2c1-7d1e", prompt="Join what was split",
    )  # fmt: skip
    fourth = make_session(
        owner, short_id="agent0000000", title=TITLES["agent"], kind="subagent", host="server"
    )
    Relation.objects.create(child=fourth, parent=first, parent_identity="x", kind="subagent")
    Relation.objects.create(child=third, parent=first, parent_identity="x", kind="fork")
    Snapshot.objects.create(session=third, step=1, received_at=NOON)
    Artifact.objects.create(session=first, path="a", sha256="0", size=1, received_at=NOON)
    return {"auth": first, "docs": second, "crash": third, "agent": fourth}


def found(user: User, query: str) -> set[str]:
    page = list_sessions(user, QueryDict(query), now=NOON)
    assert page.errors == []
    return {name for name, title in TITLES.items() for s in page.items if s.title == title}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "auth docs crash"),
        ("kind=main", "auth docs crash"),
        ("kind=subagent", "agent"),
        ("kind=all", "auth docs crash agent"),
        ("q=login", "auth"),
        ("q=shop", "auth"),
        ("q=cookies", "auth"),
        ("q=was+split", "crash"),
        ("q=中文", "docs"),
        ("q=ÜNITE", "crash"),
        ("q=ünite", "crash"),
        ("q=auth0", "auth"),
        ("q=AUTH00000000", "auth"),
        ("q=0198f2c1", "crash"),
        ("q=100%25&kind=all", "agent"),
        ("q=the_bugs&kind=all", "agent"),
        ("q=theXbugs&kind=all", ""),
        ("backend=codex", "docs"),
        ("backend=codex&backend=claude", "auth docs crash"),
        ("status=crashed", "crash"),
        ("status=crashed&status=completed", "docs crash"),
        ("tag=auth", "auth docs"),
        ("tag=auth&tag=bug", "auth"),
        ("tag=auth&tag=none&tag_mode=any", "auth docs"),
        ("tag=bug&tag=none&tag_mode=all", ""),
        ("project=shop", "auth"),
        ("project=example.com/team/shop", "auth"),
        ("project=nothing", ""),
        ("owner=owner", "auth crash"),
        ("owner=me", "auth crash"),
        ("owner=me&owner=teammate", "auth docs crash"),
        ("model=claude-opus", "auth"),
        ("model=CLAUDE", "auth"),
        ("model=opus", ""),
        ("workdir=/src/shop", "auth docs"),
        ("workdir=/src/shop/", "auth docs"),
        ("workdir=/", "auth docs crash"),
        ("host=laptop", "auth"),
        ("resumable=1", "auth crash"),
        ("resumable=No", "docs"),
        ("since=30d", "auth docs"),
        ("since=1h", "auth"),
        ("since=1w&until=2d", "docs"),
        ("since=2026-11-18", "auth docs"),
        ("until=2026-11-17", "crash"),
        ("until=2026-11-18", "docs crash"),
        ("since=2026-11-18T13:00:00", "auth"),
        ("has=error", "crash"),
        ("has=snapshot", "crash"),
        ("has=artifact", "auth"),
        ("has=fork", "auth crash"),
        ("has=fork&has=artifact", "auth"),
        ("backend=&q=+&status=crashed", "crash"),
    ],
)
def test_filter(sessions: dict[str, AgentSession], owner: User, query: str, names: str) -> None:
    assert found(owner, query) == set(names.split())


def test_a_day_is_a_day_of_the_reader(owner: User, sessions: dict[str, AgentSession]) -> None:
    late = NOON.replace(day=20, hour=20)
    AgentSession.objects.filter(pk=sessions["auth"].pk).update(last_active=late)
    assert found(owner, "since=2026-11-21") == set()
    with timezone.override("Asia/Shanghai"):
        assert found(owner, "since=2026-11-21") == {"auth"}


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("status=bogus", "“bogus” is no status"),
        ("kind=bogus", "“bogus” is no kind"),
        ("resumable=perhaps", "“resumable” is yes or no"),
        ("since=yesterday", "“yesterday” is no date"),
        ("until=2026-13-01", "“2026-13-01” is no date"),
        ("since=9999h9", "“9999h9” is no date"),
        ("until=9999-12-31", "“9999-12-31” is no date"),
        ("since=0001-01-01T00:00:00%2B14:00", "is no date"),
        ("has=everything", "“has” knows error, artifact, snapshot, fork"),
        ("tag_mode=some", "“tag_mode” is one of all, any"),
        ("sort=beauty", "“sort” is one of"),
        ("limit=0", "“limit” is a number from 1 to 200"),
        ("limit=many", "“limit” is a number from 1 to 200"),
        ("limit=²", "“limit” is a number from 1 to 200"),
        ("cursor=abc", "The link to that page of the list is broken"),
    ],
)
def test_a_bad_value_is_told_and_the_rest_still_holds(
    owner: User, sessions: dict[str, AgentSession], query: str, sentence: str
) -> None:
    page = list_sessions(owner, QueryDict(f"{query}&backend=codex"), now=NOON)
    assert len(page.errors) == 1
    assert sentence in page.errors[0]
    assert [session.backend for session in page.items] == ["codex"]


@pytest.mark.parametrize("name", [item.name for item in FILTERS])
@pytest.mark.parametrize("value", ["\0", "'; DROP", "%", "_", "\\", "𝕏" * 300, "\ud800", "9" * 400])
def test_no_value_breaks_a_filter(owner: User, db: None, name: str, value: str) -> None:
    list_sessions(owner, {name: [value]}, now=NOON)


def test_a_plain_dict_does_as_well(owner: User, sessions: dict[str, AgentSession]) -> None:
    params: dict[str, Any] = {"tag": ["auth", "bug"], "status": "active", "limit": 5, "q": None}
    page = list_sessions(owner, params, now=NOON)
    assert page.items == [sessions["auth"]]
    assert [(item.name, item.shown) for item in page.filters] == [
        ("status", "active"),
        ("tag", "auth"),
        ("tag", "bug"),
    ]
