"""One table of queries and answers, for both databases."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions_app.actions.search_index import catch_up
from sessions_app.models import AgentSession, Message, User
from sessions_app.models.session import audience_of_project, audience_of_user
from sessions_app.queries.search.results import Results, as_items, search
from tests.factories import make_call, make_message, make_project, make_session, tag

SAID = {
    "plain": "Fix the login cookie before the release",
    "order": "The cookie of the login is broken",
    "cache": "redis keeps the cache warm",
    "code": "def getUserName(): return get_user_name('src/auth/login_form.py')",
    "chinese": "请检查数据库连接池的配置，然后重启服务",
    "mixed": "升级 Django 到 5.2 版本",
    "wide": "ＦＵＬＬＷＩＤＴＨ text and Crème brûlée",
    "emoji": "Deployed 🚀 to production",
    "json": '{"a": "b"}',
    "numbers": "version 3.14.159 at 0xDEADBEEF",
}


@pytest.fixture
def said(owner: User) -> dict[str, AgentSession]:
    sessions = {}
    for name, text in SAID.items():
        sessions[name] = make_session(owner, title=f"Title {name}")
        make_message(sessions[name], text)
    message = make_message(sessions["plain"], "", role="assistant", thinking="Perhaps a zebra")
    make_call(message, "Bash", r'{"command": "cd app\nls quokka"}', "total 8\nwombat 数据表")
    make_call(message, "Read", "{}", "line " * 300 + "needle")
    catch_up()
    return sessions


def found(results: Results, sessions: dict[str, AgentSession]) -> set[str]:
    names = {session.pk: name for name, session in sessions.items()}
    return {names[item.session.pk] for item in results.items}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("login cookie", "plain order"),
        ("LOGIN", "plain order code"),
        ('"login cookie"', "plain"),
        ('"the login"', "plain order"),
        ("cookie -broken", "plain"),
        ("cookie -\"login cookie\"", "order"),
        ("broken OR redis", "order cache"),
        ("login broken OR release", "plain order"),
        ("relea*", "plain"),
        ('"the rel"*', "plain"),
        ("getUserName", "code"),
        ("get_user_name", "code"),
        ("user", "code"),
        ("name", "code"),
        ("src/auth/login_form.py", "code"),
        ("login_form.py", "code"),
        ("数据库", "chinese"),
        ("库连", "chinese"),
        ("池", "chinese"),
        ("库池", ""),
        ("数据", "chinese plain"),
        ("数据库 重启", "chinese"),
        ("数据 -库", "plain"),
        ("django 版本", "mixed"),
        ("fullwidth", "wide"),
        ("ｃｏｏｋｉｅ", "plain order"),
        ("creme BRULEE", "wide"),
        ("brûlée", "wide"),
        ("🚀", "emoji"),
        ("3.14", "numbers"),
        ("0xdeadbeef", "numbers"),
        ("zebra", "plain"),
        ("quokka", "plain"),
        ("ls", "plain"),
        ("wombat", "plain"),
        ("needle", "plain"),
        ('"quokka total"', ""),
        ("title cache", "cache"),
        ("nothing-of-this", ""),
        ("cookie backend:claude", "plain order"),
        ("cookie backend:codex", ""),
        ("cookie -backend:claude", ""),
        ("cookie since:2000-01-01 -has:error", "plain order"),
    ],
)  # fmt: skip
def test_a_query_finds(query: str, names: str, owner: User, said: dict[str, AgentSession]) -> None:
    results = search(owner, query)
    assert found(results, said) == set(names.split())
    assert results.notes == []
    assert all(item["marks"] for item in as_items(results))


@pytest.mark.parametrize(
    ("query", "note"),
    [
        ("nokey:cookie", "no filter “nokey”"),
        ('"login cookie', "not closed"),
        ("*** cookie", "neither letters nor digits"),
        ("-cookie", "leave out"),
        ("status:nope", "no status"),
        ("since:yesterday cookie", "no date"),
        ("a* cookie", "two letters"),
        ("x" * 10_000, "1,000 characters"),
        (" ".join("ab" for _ in range(100)), "40 words"),
    ],
)
def test_what_is_not_understood_is_said(
    query: str, note: str, owner: User, said: dict[str, AgentSession]
) -> None:
    assert any(note in told for told in search(owner, query).notes)


@pytest.mark.parametrize(
    "query",
    [
        "NEAR(", "NEAR(a b, 2)", "AND OR NOT", "^cookie", ":", "body : cookie", "a:b:c", "cookie)",
        "(((", "'", "''; DROP TABLE x", "\\", "%", "_", "&|!", "<->", "cookie:*", "\0", "co\0okie",
        "\ud800", "🚀🚀", "，。！", "ＡＮＤ", "-", "--", "- -", '""', '"" ""', '"""', "OR", "OR OR",
        "http://localhost:8000/x?y=z", "std::vector<int>", "C:\\Users\\me", "12:30", "“smart”",
    ],
)  # fmt: skip
def test_operators_and_signs_are_text(query: str, owner: User) -> None:
    make_message(make_session(owner), "cookie")
    catch_up()
    search(owner, query)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(max_size=200))
def test_any_text_gets_an_answer(query: str, owner: User) -> None:
    as_items(search(owner, query))


def test_strangers_learn_nothing(owner: User, teammate: User, stranger: User) -> None:
    closed = make_project("closed", is_open=False)
    closed.members.add(teammate)
    shared = make_session(owner, project=closed, audience=audience_of_project(closed.pk))
    private = make_session(owner, audience=audience_of_user(owner.pk), title="secretword")
    tag(shared, "secrettag")
    for session in (shared, private):
        make_message(session, "secretword")
    catch_up()
    counts = {user: search(user, "secretword") for user in (owner, teammate, stranger)}
    assert [results.total for results in counts.values()] == [1, 1, 0]
    assert [results.session_count for results in counts.values()] == [1, 1, 0]
    nothing = counts[stranger]
    assert (nothing.items, nothing.facets, nothing.next) == ([], [], None)
    assert search(stranger, "project:closed").items == []
    assert search(stranger, "tag:secrettag secretword").total == 0


def test_what_is_in_the_trash_is_found_again_when_it_is_back(owner: User) -> None:
    session = make_session(owner)
    make_message(session, "pangolin")
    catch_up()
    AgentSession.objects.filter(pk=session.pk).update(trashed_at=session.received_at)
    assert search(owner, "pangolin").total == 0
    AgentSession.objects.filter(pk=session.pk).update(trashed_at=None)
    assert search(owner, "pangolin").total == 1


@pytest.mark.parametrize("change", ["edited", "deleted", "moved"])
def test_changes_are_followed(change: str, owner: User) -> None:
    session = make_session(owner)
    message = make_message(session, "pangolin 数据")
    make_call(message, "Bash", "{}", "pangolin")
    catch_up()
    if change == "edited":
        Message.objects.filter(pk=message.pk).update(text="aardvark")
        message.calls.update(output_preview="aardvark")
    elif change == "deleted":
        session.delete()
    else:
        other = make_session(owner)
        Message.objects.filter(pk=message.pk).update(session=other)
    catch_up()
    results = search(owner, "pangolin")
    assert results.total == {"edited": 0, "deleted": 0, "moved": 2}[change]
    assert search(owner, "aardvark").total == (2 if change == "edited" else 0)


def test_pages_hold_every_session_once(owner: User) -> None:
    sessions = [make_session(owner) for _ in range(25)]
    for session in sessions:
        make_message(session, "pangolin")
    catch_up()
    seen: list[int] = []
    results = search(owner, "pangolin", limit=10)
    assert (results.total, results.session_count) == (25, 25)
    while True:
        seen += [item.session.pk for item in results.items]
        if results.next is None:
            break
        results = search(owner, "pangolin", limit=10, cursor=results.next)
    assert sorted(seen) == sorted(session.pk for session in sessions)


def test_counts_are_exact_up_to_a_thousand(owner: User) -> None:
    session = make_session(owner)
    plain: dict[str, Any] = {"role": "user", "received_at": session.received_at, "session": session}
    rows = [
        Message(seq=seq, revision=seq, key=f"k{seq}", text="pangolin", **plain)
        for seq in range(1, 1002)
    ]
    Message.objects.bulk_create(rows[:1000])
    catch_up()
    results = search(owner, "pangolin")
    assert (results.total, results.is_capped) == (1000, False)
    rows[1000].save()
    catch_up()
    results = search(owner, "pangolin")
    assert results.is_capped
    assert results.next is not None
    older = search(owner, "pangolin", cursor=results.next)
    assert [item.count for item in older.items] == [1]


def test_long_texts_are_searched_to_their_end(owner: User) -> None:
    """Beyond the limits of one tsvector: 256 places of a word, 16,383 in all."""
    session = make_session(owner)
    make_message(session, "same " * 3000 + " ".join(f"w{n}" for n in range(30_000)) + " last words")
    make_message(session, "other first " + "same " * 600)
    catch_up()
    for query, total in (
        ('"last words"', 1), ("w29999", 1), ('"w15999 w16000 w16001"', 1), ('"w20100 w20101"', 1),
        ("first same", 1), ("w1 last", 1), ("same -first", 1), ("w1 -last", 0), ('"same w0"', 1),
    ):  # fmt: skip
        assert search(owner, query).total == total, query


def test_facets_count_sessions_and_narrow(owner: User) -> None:
    for backend in ("claude", "claude", "codex"):
        session = make_session(owner, backend=backend, project=make_project(f"p-{backend}")
                               if not AgentSession.objects.filter(backend=backend).exists()
                               else None)  # fmt: skip
        make_message(session, "pangolin pangolin")
        tag(session, "two words")
    catch_up()
    facets = {facet.name: facet.values for facet in search(owner, "pangolin").facets}
    assert [(v.value, v.sessions) for v in facets["backend"]] == [("claude", 2), ("codex", 1)]
    for values in facets.values():
        for value in values:
            assert search(owner, value.search).session_count == value.sessions, value


def test_ten_more_sessions_take_the_same_number_of_queries(
    owner: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(20):
        make_message(make_session(owner), "pangolin")
    catch_up()
    with django_assert_max_num_queries(9):
        assert search(owner, "pangolin").session_count == 20
