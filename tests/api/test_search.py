"""GET /api/v1/search."""  # K20 C14

from __future__ import annotations

import pytest

from sessions_app.actions.search_index import catch_up
from sessions_app.models import AgentSession, User
from sessions_app.models.session import audience_of_user
from tests.api.conftest import Program
from tests.factories import make_message, make_session


@pytest.fixture
def session(owner: User) -> AgentSession:
    session = make_session(owner, title="Repair")
    make_message(session, "Why does the pangolin fall?", kind="prompt")
    catch_up()
    return session


def test_hits_tell_where_they_are(owners: Program, session: AgentSession) -> None:
    answer = owners.get("/search?q=pangolin").json()
    [item] = answer["items"]
    assert answer["total_hits"] == 1
    assert answer["next"] is None
    assert (item["session_id"], item["seq"], item["where"]) == (session.short_id, 1, "prompt")
    [(start, end)] = item["marks"]
    assert item["excerpt"][start:end] == "pangolin"


@pytest.mark.parametrize(
    ("query", "hits"),
    [("q=pangolin&backend=claude", 1), ("q=pangolin+backend:codex", 0), ("q=-x", 0), ("", 0)],
)
def test_filters_and_words_are_those_of_the_page(
    query: str, hits: int, owners: Program, session: AgentSession
) -> None:
    assert len(owners.get(f"/search?{query}").json()["items"]) == hits


def test_what_was_not_understood_is_told(owners: Program, session: AgentSession) -> None:
    assert "not closed" in owners.get('/search?q="pangolin').json()["notes"][0]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "sort=none", f"cursor={'x' * 500}"])
def test_bad_parameters_are_refused(query: str, owners: Program) -> None:
    assert owners.get(f"/search?{query}").status_code in (400, 422)


def test_strangers_find_nothing(strangers: Program, owner: User, session: AgentSession) -> None:
    AgentSession.objects.update(audience=audience_of_user(owner.pk))
    answer = strangers.get("/search?q=pangolin").json()
    assert answer == {"items": [], "total_hits": 0, "next": None, "notes": []}
