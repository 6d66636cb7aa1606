"""The frame: places, theme, language, time zone, errors, headers."""

from __future__ import annotations

import json
import re

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.utils import timezone
from django.views import defaults

from sessions_app.models import User
from sessions_app.pages.middleware import PreferencesMiddleware
from tests.factories import make_session

THEME = "/preferences/theme/"
LANGUAGE = "/preferences/language/"
HTMX = {"HX-Request": "true"}


def test_only_places_that_exist_are_linked(owner_client: Client, admin_client: Client) -> None:
    for client in (owner_client, admin_client):
        page = client.get("/").content.decode()
        for address in set(re.findall(r'<a [^>]*href="(/[^"#?]*)', page)):
            assert client.get(address, follow=True).status_code == 200, address
    assert 'href="/admin/"' in page
    assert 'href="/admin/"' not in owner_client.get("/").content.decode()


@pytest.mark.parametrize("address", ["/", "/sessions/", "/ingest/", "/accounts/password/change/"])
def test_pages_are_named_skippable_and_know_where_they_are(
    owner_client: Client, address: str
) -> None:
    page = owner_client.get(address).content.decode()
    assert page.count("<h1") == 1
    assert '<html lang="en">' in page
    assert 'href="#main"' in page
    assert re.search(r"<title>[^·<]+ · Agent Sessions</title>", page)
    assert page.count('aria-current="page"') == (0 if "password" in address else 1)


def test_nothing_is_inline_and_the_policy_says_so(owner: User, owner_client: Client) -> None:
    make_session(owner)
    for address in ("/", "/sessions/", "/ingest/", "/accounts/login/"):
        response = owner_client.get(address)
        assert "unsafe" not in response["Content-Security-Policy"]
        page = response.content.decode()
        assert not re.search(r"\sstyle=|\son\w+=|<style|<script>", page)


def test_htmx_evaluates_nothing_and_sends_the_token_once(owner_client: Client) -> None:
    page = owner_client.get("/").content.decode()
    found = re.search(r"name=\"htmx-config\"\s+content='([^']+)'", page)
    assert found
    config = json.loads(found[1])
    assert (config["allowEval"], config["includeIndicatorStyles"]) == (False, False)
    assert config["selfRequestsOnly"] is True
    headers = re.findall(r"hx-headers='([^']+)'", page)
    assert len(headers) == 1
    assert json.loads(headers[0]).keys() == {"X-CSRFToken"}


def test_the_theme_is_in_the_first_byte(owner_client: Client) -> None:
    response = owner_client.post(THEME, {"theme": "dark", "next": "/sessions/?tag=a"})
    assert response["Location"] == "/sessions/?tag=a"
    assert 'data-theme="dark"' in owner_client.get("/").content.decode()[:200]
    owner_client.post(THEME, {"theme": ""})
    assert "data-theme" not in owner_client.get("/").content.decode()[:200]


def test_htmx_switches_the_theme_in_place(owner_client: Client) -> None:
    response = owner_client.post(THEME, {"theme": "light"}, headers=HTMX)
    assert response.status_code == 204
    assert json.loads(response["HX-Trigger"]) == {"theme": {"theme": "light"}}


@pytest.mark.parametrize("theme", ["pink", '"><script>', ""])
def test_an_unknown_theme_follows_the_system(owner_client: Client, theme: str) -> None:
    owner_client.post(THEME, {"theme": theme})
    owner_client.cookies["theme"] = "pink"
    assert "data-theme" not in owner_client.get("/").content.decode()


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:x", ""])
def test_nobody_is_led_away(owner_client: Client, target: str) -> None:
    response = owner_client.post(THEME, {"theme": "dark", "next": target})
    assert response["Location"] == "/"


def test_a_language_is_remembered_for_the_person(
    owner: User, owner_client: Client, client: Client
) -> None:
    response = owner_client.post(LANGUAGE, {"language": "zh-hans", "next": "/"}, follow=True)
    assert '<html lang="zh-hans">' in response.content.decode()
    client.force_login(owner)
    assert '<html lang="zh-hans">' in client.get("/").content.decode()
    assert client.get("/")["Content-Language"] == "zh-hans"


def test_the_language_can_be_chosen_before_signing_in(client: Client, db: None) -> None:
    response = client.post(
        LANGUAGE, {"language": "zh-hans", "next": "/accounts/login/"}, follow=True
    )
    page = response.content.decode()
    assert "登录 Agent Sessions" in page
    assert ">English</button>" in page


def test_an_unknown_language_changes_nothing(owner: User, owner_client: Client) -> None:
    owner_client.post(LANGUAGE, {"language": "tlh", "next": "/"})
    owner.refresh_from_db()
    assert owner.language == ""
    assert '<html lang="en">' in owner_client.get("/").content.decode()


@pytest.mark.parametrize(
    ("zone", "active"),
    [("Asia/Shanghai", "Asia/Shanghai"), ("", "UTC"), ("Europe", "UTC"), ("No/Where", "UTC"),
     ("../../etc/passwd", "UTC"), ("\0", "UTC")],
)  # fmt: skip
def test_the_clock_is_the_persons(owner: User, zone: str, active: str) -> None:
    owner.time_zone = zone
    request = RequestFactory().get("/")
    request.user = owner
    middleware = PreferencesMiddleware(answer)
    middleware(request)
    middleware.process_view(request, answer, (), {})
    assert str(timezone.get_current_timezone()) == active
    middleware(request)
    assert str(timezone.get_current_timezone()) == "UTC"


def answer(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def test_wrong_methods_are_refused(owner_client: Client) -> None:
    assert owner_client.get(THEME).status_code == 405
    assert owner_client.get(LANGUAGE).status_code == 405


def test_a_wrong_address_is_our_page(owner_client: Client, client: Client) -> None:
    for visitor in (owner_client, client):
        response = visitor.get("/nothing/here/")
        assert response.status_code == 404
        assert "There is nothing at this address" in response.content.decode()


def test_a_refusal_and_a_fault_are_our_pages(owner: User) -> None:
    request = RequestFactory().get("/")
    request.user = owner
    refused = defaults.permission_denied(request, Exception())
    broken = defaults.server_error(request)
    assert "This is for other people" in refused.content.decode()
    assert "Something broke" in broken.content.decode()
    assert "css/variables" in broken.content.decode()


@override_settings(DEBUG=False)
def test_a_fault_speaks_the_readers_language(owner: User, client: Client, db: None) -> None:
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    response = Client(enforce_csrf_checks=True, headers={"Accept-Language": "zh-Hans"}).post(
        "/accounts/login/"
    )
    assert response.status_code == 403
    assert "表单已失效" in response.content.decode()
