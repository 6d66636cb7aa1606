"""The search page, and the finder inside of one session."""

from __future__ import annotations

from html import unescape
from urllib.parse import urlencode

import pytest
from django.test import Client

from sessions_app.actions.search_index import catch_up
from sessions_app.models import AgentSession, SavedSearch, User
from sessions_app.models.session import audience_of_user
from tests.factories import make_call, make_message, make_project, make_session
from tests.pages.squeeze import squeezed

HTMX = {"HX-Request": "true"}


def read(client: Client, q: str = "", **more: str) -> str:
    response = client.get(f"/search/?{urlencode({'q': q, **more})}")
    assert response.status_code == 200
    return squeezed(response)


@pytest.fixture
def session(owner: User) -> AgentSession:
    session = make_session(owner, title="Repair the pool")
    make_message(session, "Why does <b>the</b> pangolin fall?")
    message = make_message(session, "请检查数据库连接池", role="assistant", thinking="pangolin?")
    make_call(message, "Bash", "{}", "pangolin " * 2)
    catch_up()
    return session


def test_hits_stand_below_their_session_and_lead_to_the_message(
    owner_client: Client, session: AgentSession
) -> None:
    page = owner_client.get("/search/?q=pangolin").content.decode()
    assert "3 hits in 1 sessions" in page
    assert "Why does &lt;b&gt;the&lt;/b&gt; <mark>pangolin</mark> fall?" in page
    address = f"/sessions/{session.short_id}/?at=1&amp;find=pangolin&amp;system=1#m1"
    assert f'href="{address}"' in page
    for where in ("Prompt", "Thinking", "Tool output"):
        assert where in page
    opened = owner_client.get(unescape(address).split("#")[0])
    assert 'id="m1"' in opened.content.decode()


def test_chinese_is_marked(owner_client: Client, session: AgentSession) -> None:
    assert "请检查<mark>数据库连接</mark>池" in read(owner_client, "数据库连接")


def test_what_was_understood_can_be_removed(owner_client: Client, session: AgentSession) -> None:
    page = read(owner_client, "pangolin -fox backend:claude")
    assert 'href="/search/?q=pangolin+-fox"' in page
    assert 'href="/search/?q=-fox+backend%3Aclaude"' in page
    assert 'href="/search/?q=pangolin+backend%3Aclaude"' in page


def test_filters_may_stand_in_the_address(owner_client: Client, session: AgentSession) -> None:
    assert "3 hits" in read(owner_client, "pangolin", backend="claude")
    assert "Nothing was found" in read(owner_client, "pangolin", backend="codex")


def test_an_empty_search_explains_itself(owner_client: Client) -> None:
    assert "both words in one message" in read(owner_client)
    assert "Nothing was found" in read(owner_client, "nowhere")
    assert "A quotation mark is not closed" in read(owner_client, '"no')


def test_htmx_gets_only_the_results(owner_client: Client, session: AgentSession) -> None:
    response = owner_client.get("/search/?q=pangolin", headers=HTMX)
    assert "<html" not in response.content.decode()
    assert response.headers["HX-Push-Url"] == "/search/?q=pangolin"


def test_strangers_find_nothing(
    owner_client: Client, stranger_client: Client, owner: User, session: AgentSession
) -> None:
    AgentSession.objects.update(audience=audience_of_user(owner.pk))
    assert "3 hits" in read(owner_client, "pangolin")
    page = read(stranger_client, "pangolin")
    assert "Nothing was found" in page
    assert session.short_id not in page
    assert stranger_client.get(f"/sessions/{session.short_id}/find/?find=a").status_code == 404


def test_nobody_searches_without_signing_in(client: Client) -> None:
    assert client.get("/search/?q=x").status_code == 302


@pytest.mark.parametrize("q", ["\0", "(" * 999, "x" * 10_000, "NEAR(", "%00", "*", "🚀", "a:b"])
def test_any_query_gets_a_page(owner_client: Client, q: str) -> None:
    read(owner_client, q, cursor="broken", sort="none")


def test_the_finder_counts_and_leads_on(owner_client: Client, session: AgentSession) -> None:
    base = f"/sessions/{session.short_id}/"
    response = owner_client.get(f"{base}find/?find=pangolin&at=1", headers=HTMX)
    text = squeezed(response)
    assert ">1 / 2<" in text
    assert f"{base}?at=2&amp;find=pangolin&amp;system=1#m2" in response.content.decode()
    plain = owner_client.get(f"{base}find/?find=pangolin&at=1")
    assert plain.headers["Location"] == f"{base}?at=2&find=pangolin&system=1#m2"
    nothing = owner_client.get(f"{base}find/?find=nowhere", headers=HTMX)
    assert ">nothing<" in squeezed(nothing)
    assert owner_client.get(f"{base}find/?find=nowhere").headers["Location"] == base


def test_a_search_is_kept_shared_and_forgotten(
    owner_client: Client, teammate_client: Client, stranger_client: Client, owner: User,
    teammate: User,
) -> None:  # fmt: skip
    project = make_project("shop")
    project.members.add(owner, teammate)
    kept = {"q": "pangolin", "name": "Falls", "project": str(project.pk)}
    response = owner_client.post("/search/save/", kept)
    assert response.headers["Location"] == "/search/?q=pangolin"
    saved = SavedSearch.objects.get()
    assert "Falls" in read(owner_client)
    assert "Falls" in read(teammate_client)
    assert "Falls" not in read(stranger_client)
    forget = f"/search/saved/{saved.pk}/forget/"
    assert teammate_client.post(forget).status_code == 404
    assert stranger_client.post("/search/save/", kept).status_code == 404
    assert owner_client.get(forget).status_code == 405
    assert owner_client.post(forget).status_code == 302
    assert not SavedSearch.objects.exists()


@pytest.mark.parametrize(
    "given", [{}, {"q": "x"}, {"name": "x"}, {"q": "x", "name": "x", "project": "99"}]
)
def test_what_cannot_be_kept_is_404(owner_client: Client, given: dict[str, str]) -> None:
    assert owner_client.post("/search/save/", given).status_code == 404
