"""What an open page of a quiet session costs, and what it is never told."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import Client, RequestFactory

from sessions_app.models import AgentSession, User
from sessions_app.pages import live
from tests.factories import make_message, make_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(owner: User) -> AgentSession:
    session = make_session(owner)
    make_message(session)
    return session


def address(session: AgentSession) -> str:
    return f"/sessions/{session.short_id}/?since_revision={session.revision}"


def tag_of(client: Client, session: AgentSession) -> str:
    return str(client.get(address(session))["ETag"])


def ask(client: Client, path: str, tag: str, method: str = "GET") -> str:
    """As the web server asks: what the answer is, or that somebody else has to give it."""
    cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    headers = {"If-None-Match": tag, "Cookie": cookies}
    told: list[str] = []

    def start(status: str, headers: list[tuple[str, str]], error: Any = None) -> Any:
        told.append(f"{status} {dict(headers)['ETag']}")

    def others(environ: Any, start: Any) -> list[bytes]:
        told.append("asked")
        return []

    environ = RequestFactory().generic(method, path, headers=headers).environ
    b"".join(live.QuietPages(others)(environ, start))
    return told[0]


def test_a_quiet_page_costs_one_query(
    owner_client: Client, session: AgentSession, django_assert_num_queries: Any
) -> None:
    tag = tag_of(owner_client, session)
    with django_assert_num_queries(1):
        assert ask(owner_client, address(session), tag) == f"304 Not Modified {tag}"


def test_a_change_is_told(owner_client: Client, session: AgentSession) -> None:
    tag = tag_of(owner_client, session)
    make_message(session)
    assert ask(owner_client, address(session), tag) == "asked"
    assert tag_of(owner_client, session) != tag


def test_a_tag_is_of_one_sign_in(
    owner_client: Client, teammate_client: Client, client: Client, session: AgentSession
) -> None:
    tag = tag_of(owner_client, session)
    assert ask(teammate_client, address(session), tag) == "asked"
    assert ask(client, address(session), tag) == "asked"


def test_who_may_not_see_it_any_more_is_told_nothing(
    owner_client: Client, session: AgentSession, stranger: User
) -> None:
    tag = tag_of(owner_client, session)
    AgentSession.objects.filter(pk=session.pk).update(audience=2**40, owner=stranger)
    assert ask(owner_client, address(session), tag) == "asked"


def test_forged_and_broken_tags_are_as_good_as_none(
    owner_client: Client, session: AgentSession, owner: User
) -> None:
    tag = tag_of(owner_client, session)
    pk, until, proof = tag.strip('"').split("-")
    for forged in (
        f'"{pk}-{int(until) + 9}-{proof}"', f'"{pk}-{until}-{proof[:-1]}x"', '"a-b-c"',
        f'"{pk}-{until}-\u00e9"', f'"{"9" * 30}-{until}-{proof}"', f"W/{tag}", "*",
    ):  # fmt: skip
        assert ask(owner_client, address(session), forged) == "asked"
        answer = owner_client.get(address(session), headers={"If-None-Match": forged})
        assert answer.status_code == 200, forged
    other = make_session(owner)
    assert ask(owner_client, address(other), tag) == "asked"


def test_an_old_tag_is_answered_with_a_new_one(
    owner_client: Client, session: AgentSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "TRUSTED", -5)
    tag = tag_of(owner_client, session)
    monkeypatch.undo()
    assert ask(owner_client, address(session), tag) == "asked"
    answer = owner_client.get(address(session), headers={"If-None-Match": tag})
    assert answer.status_code == 304
    assert answer["ETag"] != tag


def test_only_reading_is_answered_so(owner_client: Client, session: AgentSession) -> None:
    tag = tag_of(owner_client, session)
    assert ask(owner_client, address(session), tag, "POST") == "asked"
    owner_client.cookies[settings.SESSION_COOKIE_NAME] = "gone"
    assert ask(owner_client, address(session), tag) == "asked"
