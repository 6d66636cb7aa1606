"""/sessions/<id>/: who may read, which part is shown, and what changes while one reads."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from sessions_app.models import AgentSession, Membership, Relation, User
from sessions_app.models.session import audience_of_project, audience_of_user
from tests.factories import NOON, make_call, make_message, make_project, make_session, tag

HTMX = {"HX-Request": "true"}
MORE = re.compile(r'class="more"\s+href="[^"?]*\?(\w+=\d+)"')


def url(session: AgentSession, **query: Any) -> str:
    address = reverse("session_detail", args=[session.short_id])
    return address + ("?" + "&".join(f"{name}={value}" for name, value in query.items()))


def page(client: Client, session: AgentSession, **query: Any) -> str:
    response = client.get(url(session, **query))
    assert response.status_code == 200
    return str(response.content.decode())


def fragment(client: Client, session: AgentSession, **query: Any) -> str:
    response = client.get(url(session, **query), headers=HTMX)
    assert response.status_code == 200
    return str(response.content.decode())


@pytest.fixture
def session(owner: User) -> AgentSession:
    return make_session(owner, title="Fix the basket")


@pytest.fixture
def private(owner: User) -> AgentSession:
    return make_session(owner, visibility="private", audience=audience_of_user(owner.pk))


@pytest.fixture
def long_session(owner: User) -> AgentSession:
    session = make_session(owner)
    for number in range(1, 251):
        make_message(session, f"word{number}.", kind="prompt", at=NOON)
    return session


# --- who may read --------------------------------------------------------------------------------


def test_the_owner_reads_the_conversation(owner_client: Client, session: AgentSession) -> None:
    make_message(session, "Why is the sum wrong?", kind="prompt", at=NOON)
    make_message(session, "It **ignores** the count.", role="assistant", kind="answer")
    html = page(owner_client, session)
    assert "<h1" in html
    assert "Fix the basket" in html
    assert "Why is the sum wrong?" in html
    assert "<strong>ignores</strong>" in html
    assert 'id="m1"' in html


def test_a_teammate_reads_a_session_of_a_closed_project(
    owner: User, teammate: User, teammate_client: Client, stranger_client: Client
) -> None:
    project = make_project(is_open=False)
    Membership.objects.create(project=project, user=teammate)
    shared = make_session(owner, project=project, audience=audience_of_project(project.pk))
    assert teammate_client.get(url(shared)).status_code == 200
    assert stranger_client.get(url(shared)).status_code == 404


@pytest.mark.parametrize("part", ["", "outline/", "?since_revision=0", "messages/1/"])
def test_a_stranger_gets_404_everywhere(
    stranger_client: Client, private: AgentSession, part: str
) -> None:
    make_message(private, "secret")
    response = stranger_client.get(url(private).rstrip("?") + part)
    assert response.status_code == 404
    assert b"secret" not in response.content


def test_without_signing_in_one_is_sent_to_the_door(client: Client, session: AgentSession) -> None:
    response = client.get(url(session))
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("account_login"))


def test_other_methods_are_refused(owner_client: Client, session: AgentSession) -> None:
    assert owner_client.post(url(session)).status_code == 405


@pytest.mark.parametrize("typed", ["zzzzzzzzzzzz", "abc", "no-such-id!!", "%00%00%00%00"])
def test_an_unknown_id_is_404(owner_client: Client, db: None, typed: str) -> None:
    assert owner_client.get(f"/sessions/{typed}/").status_code == 404


# --- beginnings of ids ---------------------------------------------------------------------------


def test_the_beginning_of_an_id_leads_to_the_whole_one(owner: User, owner_client: Client) -> None:
    session = make_session(owner, short_id="k3f9w2m7q4ab")
    response = owner_client.get("/sessions/k3f9/?at=7")
    assert response["Location"] == "/sessions/k3f9w2m7q4ab/?at=7"
    response = owner_client.get("/sessions/K3F9W/outline/")
    assert response["Location"] == f"/sessions/{session.short_id}/outline/"


def test_an_ambiguous_beginning_offers_the_choices(owner: User, owner_client: Client) -> None:
    make_session(owner, short_id="k3f9aaaaaaaa", title="First")
    make_session(owner, short_id="k3f9bbbbbbbb", title="Second")
    response = owner_client.get("/sessions/k3f9/")
    assert response.status_code == 300
    assert "First" in response.content.decode()
    assert "/sessions/k3f9bbbbbbbb/" in response.content.decode()


def test_choices_name_only_what_the_person_may_see(
    owner: User, stranger_client: Client, private: AgentSession
) -> None:
    make_session(owner, short_id=private.short_id[:8] + "zzzz", title="Seen")
    response = stranger_client.get(f"/sessions/{private.short_id[:8]}/")
    assert response.status_code == 302


# --- windows -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "first", "last", "links"),
    [
        ({}, 1, 100, {"after=100"}),
        ({"after": 100}, 101, 200, {"before=101", "after=200"}),
        ({"after": 200}, 201, 250, {"before=201"}),
        ({"before": 101}, 1, 100, {"after=100"}),
        ({"last": 1}, 151, 250, {"before=151"}),
        ({"at": 150}, 147, 246, {"before=147", "after=246"}),
        ({"at": 1}, 1, 100, {"after=100"}),
        ({"after": "x"}, 1, 100, {"after=100"}),
        ({"after": "9" * 40}, 1, 100, {"after=100"}),
    ],
)
def test_a_window_shows_its_part(
    owner_client: Client,
    long_session: AgentSession,
    query: dict[str, Any],
    first: int,
    last: int,
    links: set[str],
) -> None:
    html = page(owner_client, long_session, **query)
    assert f'id="m{first}"' in html
    assert f'id="m{last}"' in html
    assert f'id="m{first - 1}"' not in html
    assert f'id="m{last + 1}"' not in html
    assert set(MORE.findall(html)) == links


def test_htmx_gets_only_the_window_and_no_way_back(
    owner_client: Client, long_session: AgentSession
) -> None:
    html = fragment(owner_client, long_session, after=100)
    assert html.lstrip().startswith('<div class="window" id="window-101">')
    assert "before=" not in html
    assert "after=200" in html
    assert "<h1" not in html
    html = fragment(owner_client, long_session, before=101)
    assert "after=" not in html


def test_a_place_after_the_end_is_an_empty_window(
    owner_client: Client, long_session: AgentSession
) -> None:
    assert "No messages." in page(owner_client, long_session, after=9999)


def test_a_session_without_messages_says_so(owner_client: Client, session: AgentSession) -> None:
    assert "No messages." in page(owner_client, session)


def test_a_window_costs_the_same_number_of_queries_however_full(
    owner: User, teammate_client: Client, session: AgentSession
) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            page(teammate_client, session)
        return len(queries)

    child = make_session(owner, kind="subagent")
    message = make_message(session, "first", kind="prompt")
    make_call(message, "Task", "{}", "done", call_id="t1")
    Relation.objects.create(parent=session, child=child, kind="subagent", call_id="t1")
    tag(session, "one")
    few = cost()
    for number in range(40):
        message = make_message(session, "more", role="assistant", kind="answer")
        make_call(message, "Bash", '{"command": "ls"}', "x" * 5000)
        other = make_session(owner, kind="subagent")
        Relation.objects.create(
            parent=session, child=other, kind="subagent", parent_identity=str(number)
        )
        tag(session, f"tag{number}")
    assert cost() == few
    assert few <= 12


# --- what is hidden ------------------------------------------------------------------------------


@pytest.fixture
def talkative(session: AgentSession) -> AgentSession:
    make_message(session, "rules of the house", kind="injected")
    make_message(session, "You are helpful", role="system")
    make_message(session, "hello", kind="prompt")
    make_message(session, "a reminder", kind="injected")
    make_message(session, "compacted", role="system", kind="compaction")
    make_message(session, "the tail", kind="injected")
    return session


def test_what_programs_say_is_hidden_and_counted(
    owner_client: Client, talkative: AgentSession
) -> None:
    html = page(owner_client, talkative)
    assert "rules of the house" not in html
    assert "You are helpful" not in html
    assert "hello" in html
    assert "Conversation compacted" in html
    assert "2 hidden messages" in html
    assert html.count("1 hidden message<") == 2
    assert "Show 4 hidden messages" in html


def test_hidden_messages_are_shown_on_request_at_the_same_place(
    owner_client: Client, talkative: AgentSession
) -> None:
    html = page(owner_client, talkative)
    assert f"{url(talkative)}at=3&amp;system=1#m3" in html
    html = page(owner_client, talkative, at=3, system=1)
    assert "rules of the house" in html
    assert "Hide system messages" in html


def test_a_window_of_100_holds_100_that_are_shown(owner: User, owner_client: Client) -> None:
    session = make_session(owner)
    for _ in range(110):
        make_message(session, "noise", kind="injected")
        make_message(session, "signal", kind="prompt")
    html = page(owner_client, session)
    assert html.count('class="message is-prompt') == 100
    assert "after=200" in html


# --- the outline ---------------------------------------------------------------------------------


def test_the_outline_links_each_prompt(owner_client: Client, session: AgentSession) -> None:
    make_message(session, "First <b>question</b>\nwith a second line", kind="prompt")
    make_message(session, "An answer", role="assistant", kind="answer")
    make_message(session, "Second question", kind="prompt")
    address = reverse("session_outline", args=[session.short_id])
    html = owner_client.get(address, headers=HTMX).content.decode()
    assert html.count("<li>") == 2
    assert "First &lt;b&gt;question&lt;/b&gt; with a second line" in html
    assert "?at=3#m3" in html
    assert "An answer" not in html
    assert "<html" not in html
    assert "<html" in owner_client.get(address).content.decode()


# --- live ----------------------------------------------------------------------------------------


def changes(client: Client, session: AgentSession, since: int, **query: Any) -> str:
    return page(client, session, since_revision=since, **query)


def test_a_poll_answers_new_and_changed_messages_only(
    owner_client: Client, session: AgentSession
) -> None:
    old = make_message(session, "old", kind="prompt")
    make_message(session, "unchanged", kind="prompt")
    seen = session.revision
    new = make_message(session, "new", role="assistant", kind="answer")
    session.revision += 1
    session.save(update_fields=["revision"])
    old.text, old.revision = "old, changed", session.revision
    old.save()
    html = changes(owner_client, session, seen, first=1)
    assert "old, changed" in html
    assert f'id="m{new.seq}"' in html
    assert "unchanged" not in html
    assert f'data-revision="{session.revision}"' in html
    assert 'id="state"' in html
    assert "data-live" in html


def test_a_poll_leaves_out_what_is_not_on_the_page(
    owner_client: Client, long_session: AgentSession
) -> None:
    html = changes(owner_client, long_session, 0, first=101, last=200)
    assert 'id="m101"' in html
    assert 'id="m200"' in html
    assert 'id="m100"' not in html
    assert 'id="m201"' not in html


def test_a_poll_with_much_news_answers_in_parts(owner: User, owner_client: Client) -> None:
    session = make_session(owner)
    for _ in range(210):
        make_message(session, "x", kind="prompt")
    first = owner_client.get(url(session, since_revision=0))
    html = first.content.decode()
    assert html.count("<article") == 200
    assert 'data-revision="200"' in html
    assert not first.has_header("ETag"), "the rest would never be asked for"


def test_an_unchanged_session_answers_304(owner_client: Client, session: AgentSession) -> None:
    make_message(session)
    response = owner_client.get(url(session, since_revision=session.revision))
    assert response.status_code == 200
    again = owner_client.get(
        url(session, since_revision=session.revision),
        headers={"If-None-Match": response["ETag"]},
    )
    assert again.status_code == 304
    assert again.content == b""


@pytest.mark.parametrize(
    "change", [{"status": "completed"}, {"progress": 0.5}, {"current_task": "tests"}]
)
def test_a_change_of_the_session_itself_is_news(
    owner_client: Client, session: AgentSession, change: dict[str, Any]
) -> None:
    address = url(session, since_revision=0)
    etag = owner_client.get(address)["ETag"]
    AgentSession.objects.filter(pk=session.pk).update(**change)
    response = owner_client.get(address, headers={"If-None-Match": etag})
    assert response.status_code == 200


def test_what_has_ended_is_followed_only_in_an_agents_own_file(
    owner: User, owner_client: Client
) -> None:
    active, ended = make_session(owner, source="api"), make_session(owner, status="completed")
    assert "data-live=" in page(owner_client, active)
    assert "data-live=" in page(owner_client, ended), "it may be resumed at any time"
    ended.source = "api"
    ended.save(update_fields=["source"])
    assert "data-live" not in page(owner_client, ended)
    assert "data-live" not in changes(owner_client, ended, 0)
