"""Coming in: by a one-time link, by a password, and not at all."""

from __future__ import annotations

from datetime import timedelta
from html import unescape

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from sessions_app.actions.signin import issue_link
from sessions_app.models import AuditEntry, User


def test_following_the_link_signs_in(owner: User, client: Client) -> None:
    response = client.get(f"/sign-in/{issue_link(owner)}/")
    assert (response.status_code, response["Location"]) == (302, "/")
    assert client.get("/").status_code == 200
    assert AuditEntry.objects.get(action="signed in by link").address == "127.0.0.1"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "preview"},
        {"User-Agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"},
        {"User-Agent": "facebookexternalhit/1.1"},
        {"User-Agent": "WhatsApp/2.23"},
    ],
)
def test_a_preview_uses_nothing_up(owner: User, client: Client, headers: dict[str, str]) -> None:
    address = f"/sign-in/{issue_link(owner)}/"
    response = client.get(address, headers=headers)
    assert response.status_code == 200
    assert "signs you in as <strong>owner</strong>" in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert client.head(address).status_code == 200
    assert settings.SESSION_COOKIE_NAME not in client.cookies
    assert client.post(address)["Location"] == "/"


def test_signing_in_changes_the_session(owner: User, teammate: User, client: Client) -> None:
    client.force_login(teammate)
    before = client.session.session_key
    client.post(f"/sign-in/{issue_link(owner)}/")
    assert client.session.session_key != before
    assert client.session["_auth_user_id"] == str(owner.pk)


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_used_link_says_how_to_get_another(owner: User, client: Client, method: str) -> None:
    address = f"/sign-in/{issue_link(owner)}/"
    client.post(address)
    response = getattr(Client(), method)(address)
    assert response.status_code == 410
    page = unescape(response.content.decode())
    assert "This sign-in link was already used." in page
    assert "python manage.py sign_in_link" in page


def test_an_expired_link_is_gone(owner: User, client: Client) -> None:
    token = issue_link(owner, now=timezone.now() - timedelta(minutes=15))
    response = client.post(f"/sign-in/{token}/")
    assert response.status_code == 410
    assert "has expired" in response.content.decode()


def test_an_unknown_link_is_not_found(client: Client, db: None) -> None:
    response = client.get("/sign-in/nothing/")
    assert response.status_code == 404
    assert "not known here" in response.content.decode()


def test_the_click_comes_from_our_page(owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    response = client.post(f"/sign-in/{issue_link(owner)}/")
    assert response.status_code == 403
    assert "This form was too old" in response.content.decode()


def test_other_methods_are_refused(owner: User, client: Client) -> None:
    assert client.put(f"/sign-in/{issue_link(owner)}/").status_code == 405


def test_a_password_signs_in_and_leads_on(owner: User, client: Client) -> None:
    page = client.get("/accounts/login/?next=/ingest/").content.decode()
    assert 'class="card' in page
    form = {"login": "owner", "password": "owner-password", "next": "/ingest/"}
    response = client.post("/accounts/login/", form)
    assert (response.status_code, response["Location"]) == (302, "/ingest/")


def test_a_wrong_password_is_said_in_the_form(owner: User, client: Client) -> None:
    response = client.post("/accounts/login/", {"login": "owner", "password": "wrong"})
    page = response.content.decode()
    assert response.status_code == 200
    assert 'role="alert"' in page
    assert 'class="input"' in page


def test_nobody_signs_up(client: Client, db: None) -> None:
    form = {"username": "new", "password1": "long-enough-1", "password2": "long-enough-1"}
    for response in (client.get("/accounts/signup/"), client.post("/accounts/signup/", form)):
        assert "Sign-up is closed" in response.content.decode()
    assert not User.objects.exists()


def test_a_forgotten_password_leads_to_a_link(client: Client, db: None) -> None:
    assert "sign_in_link NAME" in client.get("/accounts/password/reset/").content.decode()


def test_signing_out_is_a_post(owner_client: Client) -> None:
    owner_client.post("/accounts/logout/")
    assert owner_client.get("/").status_code == 302


def test_a_password_is_changed_inside_the_frame(owner_client: Client) -> None:
    page = owner_client.get("/accounts/password/change/").content.decode()
    assert 'class="side"' in page
    assert page.count('class="input"') == 3
