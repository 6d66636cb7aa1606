"""Rules for what is never read, on the ingest page."""

from __future__ import annotations

import socket

import pytest
from django.test import Client

from sessions_app.models import ExcludeRule, RawFile, User
from tests.factories import NOON, make_session
from tests.pages.squeeze import squeezed

ADD, REMOVE = "/ingest/rules/add/", "/ingest/rules/remove/"
HTMX = {"HX-Request": "true"}


def make_rule(pattern: str = "private") -> ExcludeRule:
    return ExcludeRule.objects.create(pattern=pattern, created_at=NOON)


def make_file(owner: User, path: str, **fields: str) -> RawFile:
    session = make_session(owner, title=f"About {path}")
    return RawFile.objects.create(
        collector=owner, source="codex", host=socket.gethostname(), path=path, session=session,
        first_read_at=NOON, last_read_at=NOON, **fields,
    )  # fmt: skip


def test_a_rule_is_added_in_place(admin_user: User, admin_client: Client) -> None:
    response = admin_client.post(ADD, {"pattern": " ~/diary ", "note": "mine"}, headers=HTMX)
    text = squeezed(response)
    assert text.strip().startswith('<section id="rules"')
    assert "<code>~/diary</code>" in text
    assert "The rule holds from now on." in response["HX-Trigger"]
    rule = ExcludeRule.objects.get()
    assert (rule.pattern, rule.note, rule.created_by) == ("~/diary", "mine", admin_user)
    admin_client.post(ADD, {"pattern": "~/diary"})
    assert ExcludeRule.objects.count() == 1


def test_a_plain_form_works_too(admin_client: Client) -> None:
    response = admin_client.post(ADD, {"pattern": "private"}, follow=True)
    assert response.redirect_chain == [("/ingest/", 302)]
    assert "<code>private</code>" in squeezed(response)
    admin_client.post(REMOVE, {"rule": ExcludeRule.objects.get().pk})
    assert not ExcludeRule.objects.exists()


def test_what_is_stored_stays_and_is_told(owner: User, admin_client: Client) -> None:
    make_file(owner, "/srv/Private/a.jsonl")
    make_file(owner, "/srv/open/b.jsonl")
    response = admin_client.post(ADD, {"pattern": "private"}, headers=HTMX)
    assert "1 stored session matches it and stays." in response["HX-Trigger"]
    page = squeezed(admin_client.get(f"/ingest/rules/{ExcludeRule.objects.get().pk}/"))
    assert "About /srv/Private/a.jsonl" in page
    assert "About /srv/open" not in page


@pytest.mark.parametrize("pattern", ["", "**", "x[z-a]"])
def test_a_bad_pattern_is_refused_with_a_reason(admin_client: Client, pattern: str) -> None:
    assert 'role="alert"' in squeezed(admin_client.post(ADD, {"pattern": pattern}, headers=HTMX))
    assert admin_client.post(ADD, {"pattern": pattern}).status_code == 302
    assert not ExcludeRule.objects.exists()


def test_rules_are_for_staff(
    owner_client: Client, teammate_client: Client, stranger_client: Client, client: Client
) -> None:
    rule = make_rule("confidential")
    for person in (owner_client, teammate_client, stranger_client):
        assert "confidential" not in squeezed(person.get("/ingest/"))
        assert person.post(ADD, {"pattern": "x"}).status_code == 404
        assert person.post(REMOVE, {"rule": rule.pk}).status_code == 404
        assert person.get(f"/ingest/rules/{rule.pk}/").status_code == 404
    assert client.post(ADD, {"pattern": "x"})["Location"].startswith("/accounts/login/")
    assert ExcludeRule.objects.count() == 1


@pytest.mark.parametrize("number", ["", "x", "999999", "9" * 40, "²"])
def test_a_rule_that_is_not_there(admin_client: Client, number: str) -> None:
    assert admin_client.post(REMOVE, {"rule": number}).status_code == 404


def test_wrong_methods_are_refused(admin_client: Client) -> None:
    assert admin_client.get(ADD).status_code == admin_client.get(REMOVE).status_code == 405
    assert admin_client.post(f"/ingest/rules/{make_rule().pk}/").status_code == 405
    assert admin_client.get("/ingest/rules/999/").status_code == 404
