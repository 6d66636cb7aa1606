"""The list of sessions."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from sessions_app.models import AgentSession, Relation, User
from sessions_app.models.session import audience_of_user
from tests.factories import NOON, make_project, make_session, tag
from tests.pages.squeeze import squeezed

LIST = "/sessions/"
HTMX = {"HX-Request": "true"}


def read(client: Client, query: str = "", **headers: str) -> str:
    response = client.get(f"{LIST}?{query}", headers=headers)
    assert response.status_code == 200
    return squeezed(response)


def test_a_row_shows_what_clinvk_lists_and_more(owner_client: Client, owner: User) -> None:
    session = make_session(
        owner, title="Fix the basket", project=make_project("shop"), status="crashed",
        backend="codex", model="gpt-5", total_tokens=1_234_567, cost=Decimal("0.25"),
        last_active=timezone.now() - timedelta(minutes=3),
    )  # fmt: skip
    tag(session, "a", "b", "c", "d")
    Relation.objects.create(
        child=session, parent=make_session(owner), parent_identity="x", kind="fork"
    )
    page = read(owner_client)
    row = page[page.index(session.short_id) : page.index("</tr>", page.index(session.short_id))]
    for text in ("crashed", "Fix the basket", "shop", "owner", "codex", "$0.25", "3 min ago"):
        assert f">{text}<" in row
    assert 'title="1,234,567">1.2M<' in row
    assert 'class="status is-crashed"' in row
    assert '<span class="badge">fork</span>' in row
    assert '<span class="tag" title="d">…</span>' in row
    assert f'href="{LIST}{session.short_id}/"' in row


def test_a_session_without_title_shows_its_prompt(owner_client: Client, owner: User) -> None:
    make_session(owner, prompt="Count the lines")
    make_session(owner)
    assert ">Count the lines<" in read(owner_client)
    assert ">Untitled session<" in read(owner_client)


def test_hostile_text_stays_text(owner_client: Client, owner: User) -> None:
    evil = "<script>alert(1)</script>\"' {title} {0.__class__} %s"
    session = make_session(
        owner, title=evil, prompt=evil, model=evil, backend=evil[:32], project=make_project(evil)
    )
    tag(session, evil)
    raw = owner_client.get(LIST).content.decode()
    assert "<script>alert" not in raw
    assert "{title}" in raw
    assert re.search(r"style=|onclick=", raw) is None


def test_teammate_sees_it_and_stranger_does_not(
    owner: User, owner_client: Client, teammate_client: Client, stranger_client: Client
) -> None:
    make_session(owner, title="open to all")
    make_session(owner, title="mine alone", audience=audience_of_user(owner.pk))
    assert "mine alone" in read(owner_client)
    for client in (teammate_client, stranger_client):
        page = read(client, "q=mine")
        assert "open to all" in read(client)
        assert "No session matches these filters" in page


def test_visitors_are_sent_to_sign_in_and_come_back(client: Client, db: None) -> None:
    response = client.get(f"{LIST}?tag=a")
    assert (response.status_code, response["Location"]) == (
        302,
        "/accounts/login/?next=/sessions/%3Ftag%3Da",
    )
    fragment = client.get(LIST, headers=HTMX)
    assert (fragment.status_code, fragment["HX-Redirect"]) == (200, "/accounts/login/")
    assert fragment.content == b""


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_it_is_only_read(owner_client: Client, method: str) -> None:
    assert getattr(owner_client, method)(LIST).status_code == 405


def test_htmx_gets_only_the_table_and_its_address(owner_client: Client, owner: User) -> None:
    make_session(owner, title="Fix the basket", status="crashed")
    response = owner_client.get(f"{LIST}?q=&status=crashed&limit=50&tag=&sort=", headers=HTMX)
    text = squeezed(response)
    assert text.startswith('<section id="session-table"')
    assert "<html" not in text
    assert response["HX-Push-Url"] == "/sessions/?status=crashed&limit=50"
    assert "HX-Request" in response["Vary"]


@pytest.mark.parametrize("extra", ["HX-Boosted", "HX-History-Restore-Request"])
def test_boosted_links_and_the_way_back_get_the_page(
    owner_client: Client, owner: User, extra: str
) -> None:
    page = read(owner_client, **HTMX, **{extra: "true"})
    assert "<html" in page
    assert 'id="session-table"' in page


def test_bad_values_are_told_in_the_page(owner_client: Client, owner: User) -> None:
    make_session(owner, title="Fix the basket")
    page = read(owner_client, "status=bogus&since=long+ago&limit=-1&cursor=%00&sort=x&kind=<b>")
    assert page.count("<li>“") == 5
    assert "The link to that page of the list is broken" in page
    assert "Fix the basket" in page


def test_filters_in_force_can_be_taken_away_one_by_one(owner_client: Client, owner: User) -> None:
    page = read(owner_client, "status=crashed&tag=a&tag=b&since=30d&sort=-cost")
    assert 'href="/sessions/?status=crashed&tag=b&since=30d&sort=-cost"' in page
    assert 'href="/sessions/?sort=-cost">Clear all' in page
    assert re.search(r'name="status" value="crashed" checked', page)
    assert re.search(r'name="tag" value="b" checked', page)
    assert re.search(r'<input class="input" name="since" value="30d"', page)


def test_headings_turn_the_order_over(owner_client: Client, owner: User) -> None:
    make_session(owner)
    page = read(owner_client, "status=active")
    assert '<th scope="col" class="number" aria-sort="descending"><a href="/sessions/?' in page
    assert 'href="/sessions/?status=active&sort=-tokens">Tokens' in page
    assert 'href="/sessions/?status=active&sort=last_active">Last active' in page
    assert 'href="/sessions/?status=active&sort=tokens">Tokens' in read(
        owner_client, "status=active&sort=-tokens"
    )


def test_one_walks_through_the_pages(owner_client: Client, owner: User) -> None:
    for number in range(7):
        make_session(owner, title=f"number {number}", last_active=NOON - timedelta(days=number))
    page = read(owner_client, "limit=3&backend=claude")
    seen = re.findall("number [0-9](?=<)", page)
    assert "1–3 of 7" in page
    while link := re.search(r'rel="next" href="([^"]+)"', page):
        assert link[1].startswith("/sessions/?backend=claude&limit=3&cursor=")
        page = squeezed(owner_client.get(link[1]))
        seen += re.findall("number [0-9](?=<)", page)
    assert seen == [f"number {number}" for number in range(7)]
    assert "7–7 of 7" in page
    assert 'href="/sessions/?backend=claude&limit=3">First' in page
    back = re.search(r'rel="prev" href="([^"]+)"', page)
    assert back
    assert "4–6 of 7" in squeezed(owner_client.get(back[1]))


def test_an_empty_instance_says_what_to_do(owner_client: Client) -> None:
    assert "python manage.py ingest_sessions" in read(owner_client)


def test_samples_are_marked_and_can_be_removed_here(owner_client: Client, owner: User) -> None:
    make_session(owner, is_sample=True)
    page = read(owner_client)
    assert '<span class="badge">sample</span>' in page
    assert "Sample sessions are shown." in page


def test_ten_more_rows_need_no_more_queries(
    owner_client: Client, owner: User, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    for number in range(12):
        tag(make_session(owner, project=make_project(f"p{number}")), "a", f"t{number}")
    with django_assert_max_num_queries(8) as few:
        read(owner_client, "limit=2")
    with django_assert_max_num_queries(len(few.captured_queries)):
        read(owner_client, "limit=50")


def test_fifty_rows_stay_below_a_hundred_kilobytes(owner_client: Client, owner: User) -> None:
    for number in range(50):
        tag(make_session(owner, title="long " * 60, prompt="longer " * 70), f"t{number}", "b", "c")
    assert len(owner_client.get(LIST).content) < 100_000


def test_a_menu_brings_its_choices_when_it_opens(
    owner: User, owner_client: Client, stranger_client: Client
) -> None:
    mine = {"audience": audience_of_user(owner.pk)}
    make_session(owner, project=make_project("shop"), **mine)
    make_session(owner, project=make_project("attic"))
    address = f"{LIST}choices/project/?project=shop&project=other"
    text = squeezed(owner_client.get(address, headers=HTMX))
    assert 'id="project-choices"' in text
    assert re.findall(r'value="(\w+)"( checked)?', text) == [
        ("other", " checked"),
        ("attic", ""),
        ("shop", " checked"),
    ]
    assert 'value="shop"' not in squeezed(
        stranger_client.get(f"{LIST}choices/project/", headers=HTMX)
    )
    assert owner_client.get(f"{LIST}choices/nothing/", headers=HTMX).status_code == 404
    assert owner_client.get(address)["Location"] == LIST


def test_status_and_backend_are_offered_at_once(owner_client: Client) -> None:
    page = read(owner_client)
    assert all(f'name="status" value="{value}"' in page for value in AgentSession.Status.values)
    assert 'name="backend" value="claude"' in page
