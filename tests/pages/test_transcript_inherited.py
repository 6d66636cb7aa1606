"""A fork that holds only its own turns shows those before it, from its parents."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from sessions_app.models import AgentSession, Relation, User
from sessions_app.models.session import audience_of_user
from tests.factories import NOON, make_message, make_session

HTMX = {"HX-Request": "true"}
MORE = re.compile(r'class="more"\s+href="([^"]*inherited/[^"]*)"')


def fork_of(parent: AgentSession, at: int, **fields: Any) -> AgentSession:
    child = make_session(parent.owner, **fields)
    Relation.objects.create(
        child=child, parent=parent, kind="fork", parent_identity=parent.identity,
        forked_at_seq=at, until=1,
    )  # fmt: skip
    return child


@pytest.fixture
def parent(owner: User) -> AgentSession:
    session = make_session(owner, title="Mend the <b>basket</b>")
    for number in range(1, 251):
        make_message(session, f"old{number}.", kind="prompt", at=NOON)
    return session


@pytest.fixture
def fork(parent: AgentSession) -> AgentSession:
    session = fork_of(parent, 240)
    make_message(session, "mine1.", kind="prompt", at=NOON)
    return session


def read(client: Client, address: str, **headers: str) -> str:
    response = client.get(address, headers=headers)
    assert response.status_code == 200
    return str(response.content.decode())


def test_the_parents_turns_stand_before_the_forks_own(
    owner_client: Client, parent: AgentSession, fork: AgentSession
) -> None:
    page = read(owner_client, f"/sessions/{fork.short_id}/")
    assert page.index("old141.") < page.index("old240.") < page.index("mine1.")
    assert "old140." not in page
    assert "old241." not in page
    assert page.index('class="inherited"') < page.index("old141.")
    assert "Inherited from" in page
    assert "Mend the &lt;b&gt;basket" in page
    assert f'href="/sessions/{parent.short_id}/?at=240#m240"' in page
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_all_of_them_can_be_reached(owner_client: Client, fork: AgentSession) -> None:
    text = read(owner_client, f"/sessions/{fork.short_id}/")
    seen = set(re.findall(r"old(\d+)\.", text))
    while link := MORE.search(text):
        text = read(owner_client, link[1].replace("&amp;", "&"), **HTMX)
        assert text.strip().startswith('<section id="inherited-')
        seen |= set(re.findall(r"old(\d+)\.", text))
    assert seen == {str(number) for number in range(1, 241)}


def test_the_part_is_also_a_page(owner_client: Client, fork: AgentSession) -> None:
    page = read(owner_client, f"/sessions/{fork.short_id}/inherited/?before=50")
    assert "old49." in page
    assert "old50." not in page
    assert "Back to the transcript" in page


def test_a_forks_fork_goes_on_with_what_its_parent_inherited(
    owner_client: Client, parent: AgentSession, fork: AgentSession
) -> None:
    child = fork_of(fork, 1)
    Relation.objects.filter(child=child).update(until=2)
    text = read(owner_client, f"/sessions/{child.short_id}/")
    assert "mine1." in text
    assert "old240." not in text
    link = MORE.search(text)
    assert link is not None
    assert f"from={parent.short_id}" in link[1]
    assert "old240." in read(owner_client, link[1].replace("&amp;", "&"), **HTMX)


def test_windows_that_do_not_begin_the_conversation_show_nothing_of_it(
    owner_client: Client, parent: AgentSession
) -> None:
    child = fork_of(parent, 3)
    for number in range(1, 203):
        make_message(child, f"mine{number}.", kind="prompt", at=NOON)
    address = f"/sessions/{child.short_id}/"
    assert "old3." in read(owner_client, address)
    for query in ("?last=1", "?at=150", "?after=100", "?before=150"):
        assert "old3." not in read(owner_client, address + query), query
    assert "old3." in read(owner_client, f"{address}?before=100", **HTMX)
    assert "old3." not in read(owner_client, f"{address}?after=100", **HTMX)


def test_a_copying_fork_shows_nothing_twice(owner_client: Client, parent: AgentSession) -> None:
    child = fork_of(parent, 3)
    Relation.objects.filter(child=child).update(until=None)
    make_message(child, "copy1.", kind="prompt", at=NOON)
    assert 'class="inherited"' not in read(owner_client, f"/sessions/{child.short_id}/")
    assert owner_client.get(f"/sessions/{child.short_id}/inherited/").status_code == 404


def test_nobody_reads_a_parent_through_its_fork(
    owner_client: Client, teammate_client: Client, stranger_client: Client, owner: User,
    parent: AgentSession, fork: AgentSession,
) -> None:  # fmt: skip
    AgentSession.objects.filter(pk=parent.pk).update(
        visibility="private", audience=audience_of_user(owner.pk)
    )
    address = f"/sessions/{fork.short_id}/"
    assert "old240." in read(owner_client, address)
    for client in (teammate_client, stranger_client):
        page = client.get(address)
        assert b"old240." not in page.content
        assert client.get(f"{address}inherited/").status_code == 404


@pytest.mark.parametrize("query", ["?from=nobody", "?from="])
def test_an_unknown_parent_is_not_found(
    query: str, owner_client: Client, fork: AgentSession
) -> None:
    assert owner_client.get(f"/sessions/{fork.short_id}/inherited/{query}").status_code == 404


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30])
def test_a_broken_place_is_the_end(before: str, owner_client: Client, fork: AgentSession) -> None:
    page = read(owner_client, f"/sessions/{fork.short_id}/inherited/?before={before}")
    assert "old240." in page


def test_a_missing_session_and_a_wrong_method(owner_client: Client, fork: AgentSession) -> None:
    assert owner_client.get("/sessions/zzzzzzzzzzzz/inherited/").status_code == 404
    assert owner_client.post(f"/sessions/{fork.short_id}/inherited/").status_code == 405
