"""The first page."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from sessions_app.models import AgentSession, UsageRollup, User
from sessions_app.models.session import audience_of_user
from tests.conftest import signed_in
from tests.factories import make_session
from tests.pages.squeeze import squeezed


def read(client: Client) -> str:
    response = client.get("/")
    assert response.status_code == 200
    return squeezed(response)


def spend(session: AgentSession, **fields: Any) -> None:
    UsageRollup.objects.create(session=session, quarter=timezone.now(), **fields)


def test_a_new_instance_says_what_to_run_and_offers_samples(owner_client: Client) -> None:
    page = read(owner_client)
    assert "python manage.py ingest_sessions" in page
    assert "Claude Code" in page
    assert 'action="/samples/load/"' in page


def test_stranger_finds_a_new_instance(owner: User, stranger_client: Client) -> None:
    make_session(owner, title="mine alone", audience=audience_of_user(owner.pk))
    page = read(stranger_client)
    assert "mine alone" not in page
    assert "No sessions yet" in page


def test_samples_come_with_one_click_and_go_with_one(owner: User, owner_client: Client) -> None:
    response = owner_client.post("/samples/load/", follow=True)
    page = squeezed(response)
    assert response.redirect_chain == [("/", 302)]
    assert "sample sessions were loaded." in page
    assert "Sample sessions are shown." in page
    assert "Your sample sessions are already here." in squeezed(
        owner_client.post("/samples/load/", follow=True)
    )
    count = AgentSession.objects.count()
    page = squeezed(owner_client.post("/samples/remove/", follow=True))
    assert f"{count} sample sessions were removed." in page
    assert "No sessions yet" in page


@pytest.mark.parametrize("address", ["/samples/load/", "/samples/remove/"])
def test_samples_are_changed_by_post_from_our_pages(owner: User, address: str) -> None:
    client = signed_in(owner)
    assert client.get(address).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert strict.post(address).status_code == 403
    assert Client().post(address).status_code == 302


def test_unfinished_sessions_come_with_evidence(owner: User, owner_client: Client) -> None:
    make_session(
        owner, title="Import the addresses", status="crashed", current_task="Row 450",
        progress=0.45, open_tool_calls=2, turn="open", work_dir="/src/shop",
        backend_session_id="0198f2c1", last_active=timezone.now() - timedelta(hours=2),
    )  # fmt: skip
    page = read(owner_client)
    for text in ("Import the addresses", "Row 450", "2 tool calls without a result", "2 h ago"):
        assert text in page
    assert '<progress max="100" value="45"' in page
    assert "cd /src/shop && claude --resume 0198f2c1" in page


def test_a_teammates_unfinished_session_has_no_command(
    owner: User, teammate_client: Client
) -> None:
    make_session(owner, title="Import", status="crashed", backend_session_id="0198f2c1")
    page = read(teammate_client)
    assert "Import" in page
    assert "claude --resume" not in page


def test_continue_names_the_latest_session_of_ones_own(owner: User, owner_client: Client) -> None:
    make_session(owner, title="The last thing", backend_session_id="abc", work_dir="/a b")
    page = read(owner_client)
    assert "cd '/a b' && claude --resume abc" in page
    assert ">The last thing</a>" in page


def test_without_a_resumable_session_it_says_why(owner: User, owner_client: Client) -> None:
    make_session(owner, backend_session_id="")
    assert "None of your own sessions can be resumed" in read(owner_client)


def test_spend_of_this_month_never_looks_more_complete_than_it_is(
    owner: User, owner_client: Client
) -> None:
    session = make_session(owner)
    spend(session, model="a", responses=3, input=100, output=20, cache_read=1000,
          cost=Decimal("1.25"), recorded_cost=Decimal("0.25"))  # fmt: skip
    page = read(owner_client)
    assert ">$1.25</dd>" in page
    assert "$1.00 estimated, $0.25 recorded by the agents" in page
    assert "3 responses · input 100, output 20, cache 1.0k" in page
    spend(session, model="b", responses=1, input=5, unpriced_responses=1)
    assert ">≥ $1.25</dd>" in read(owner_client)
    assert "At least: 1 response has no price." in read(owner_client)


def test_a_model_without_price_is_never_zero(owner: User, owner_client: Client) -> None:
    spend(make_session(owner), responses=1, input=5, unpriced_responses=1)
    page = read(owner_client)
    assert ">no price</dd>" in page
    assert "$0" not in page


def test_the_chart_has_a_bar_and_a_table_row_for_each_day(
    owner: User, owner_client: Client
) -> None:
    spend(make_session(owner), responses=7, input=1)
    page = read(owner_client)
    assert len(re.findall('<rect class="bar', page)) == 30
    assert page.count('<th scope="row">') == 30
    assert "7 responses in the last 30 days" in page


def test_statuses_lead_to_the_list(owner: User, owner_client: Client) -> None:
    make_session(owner, status="paused")
    assert 'href="/sessions/?status=paused"' in read(owner_client)


def test_visitors_and_other_methods_are_turned_away(client: Client, owner_client: Client) -> None:
    assert client.get("/")["Location"] == "/accounts/login/?next=/"
    assert owner_client.post("/").status_code == 405
