"""The index is made anew, and proves that it equals the rows."""

from __future__ import annotations

import pytest
from django.db import connection

from sessions_app.actions.search_index import catch_up
from sessions_app.actions.search_rebuild import differences, is_outdated, rebuild_search
from sessions_app.actions.search_tables import MESSAGES, Row, clear, remove
from sessions_app.models import AgentSession, User
from sessions_app.queries.search.results import search
from tests.factories import make_call, make_message, make_session, tag


@pytest.fixture
def session(owner: User) -> AgentSession:
    session = make_session(owner, title="Repair")
    message = make_message(session, "pangolin 数据库 getUserName")
    make_call(message, "Bash", r'{"command": "a\nb"}', "wombat " * 100)
    tag(session, "animals")
    catch_up()
    return session


def test_an_index_that_follows_is_equal(session: AgentSession) -> None:
    assert differences() == []
    assert not is_outdated()


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_lost_index_is_noticed_and_made_anew(
    kind: int, session: AgentSession, owner: User
) -> None:
    clear(kind)
    assert len(differences()) == 1
    told: list[tuple[int, int]] = []
    assert rebuild_search(lambda done, total: told.append((done, total))) == 3
    assert told[-1] == (3, 3)
    assert differences() == []
    for query in ("pangolin", "wombat", "animals", "user", "据库"):
        assert search(owner, query).total == 1, query


def test_a_wrong_word_is_noticed(session: AgentSession) -> None:
    pk = session.messages.get().pk
    remove(MESSAGES, [Row(pk, "pangolin", "")])
    assert differences() == ["the index of messages is not what the rows say"]


def test_rows_that_were_not_told_are_noticed(session: AgentSession) -> None:
    make_message(session, "quokka")
    assert differences()[0] == "there are rows that the index was not told of"
    catch_up()
    assert differences() == []


def test_an_index_of_other_words_is_outdated(session: AgentSession) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE search_state SET version = 0")
    assert is_outdated()
    rebuild_search()
    assert not is_outdated()
