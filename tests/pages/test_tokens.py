"""The page of tokens: made once, shown once, revoked by their person alone."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from sessions_app.actions.api_tokens import create_token
from sessions_app.models import ApiToken, AuditEntry, Project, User
from tests.factories import make_project

SECRET = re.compile(r"ags_[0-9a-z]{40}")


def made(user: User, name: str = "ci") -> ApiToken:
    now = timezone.now()
    return create_token(user, name=name, scopes=["read"], by=user, now=now)[0]


def test_a_new_token_is_shown_once_and_works(owner: User, owner_client: Client) -> None:
    project = make_project("webshop")
    answer = owner_client.post(
        "/tokens/",
        {"name": "ci", "scopes": ["read", "write"], "project": project.pk, "days": "30"},
    )
    [secret] = set(SECRET.findall(answer.content.decode()))
    assert "no-store" in answer["Cache-Control"]
    token = ApiToken.objects.get()
    assert (token.user, token.project, token.scopes) == (owner, project, ["read", "write"])
    assert token.expires_at is not None
    assert timedelta(days=29) < token.expires_at - timezone.now() < timedelta(days=31)
    me = Client().get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"}).json()
    assert (me["user"], me["project"]) == ("owner", "webshop")
    later = owner_client.get("/tokens/").content.decode()
    assert secret not in later
    assert token.prefix in later


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"scopes": []}, {"scopes": ["all"]}, {"days": "7000"}, {"project": "999"}],
)
def test_a_bad_form_makes_no_token(wrong: dict[str, object], owner_client: Client) -> None:
    good: dict[str, object] = {"name": "ci", "scopes": ["read"], "days": ""}
    assert owner_client.post("/tokens/", {**good, **wrong}).status_code == 422
    assert not ApiToken.objects.exists()


def test_a_closed_project_of_others_is_no_choice(owner_client: Client) -> None:
    closed = make_project("secret-plans", is_open=False)
    assert "secret-plans" not in owner_client.get("/tokens/").content.decode()
    form = {"name": "ci", "scopes": ["read"], "project": closed.pk}
    assert owner_client.post("/tokens/", form).status_code == 422
    assert Project.objects.count() == 1


def test_its_person_revokes_a_token(owner: User, owner_client: Client) -> None:
    token = made(owner)
    answer = owner_client.post(f"/tokens/{token.pk}/revoke/")
    assert answer["Location"] == "/tokens/"
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert AuditEntry.objects.filter(action="token.revoke", target=token.prefix).exists()


def test_nobody_else_sees_or_revokes_it(
    owner: User, teammate_client: Client, stranger_client: Client
) -> None:
    token = made(owner)
    for client in (teammate_client, stranger_client):
        assert token.prefix not in client.get("/tokens/").content.decode()
        assert client.post(f"/tokens/{token.pk}/revoke/").status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


def test_wrong_methods_and_missing_ids(owner_client: Client) -> None:
    assert owner_client.get("/tokens/1/revoke/").status_code == 405
    assert owner_client.post("/tokens/1/revoke/").status_code == 404
    assert owner_client.delete("/tokens/").status_code == 405
    assert Client().get("/tokens/").status_code == 302


def test_ten_more_tokens_take_as_many_queries(owner: User, owner_client: Client) -> None:

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            owner_client.get("/tokens/")
        return len(found)

    made(owner)
    few = queries()
    for number in range(10):
        made(owner, f"ci {number}")
    assert queries() == few
