"""Who may come in, and how everybody else is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from sessions_app.actions.api_tokens import USED_EVERY, create_token, revoke_token
from sessions_app.models import ApiToken, User
from tests.api.conftest import Program, code_of, program_of


def test_a_token_acts_for_its_person(owners: Program) -> None:
    told = owners.get("/me").json()
    assert told["user"] == "owner"
    assert told["scopes"] == ["read", "write"]
    assert owners.secret.startswith(told["token"])


@pytest.mark.parametrize("said", ["", "Bearer", "Bearer x", "Basic b3duZXI6eA==", "Bearer ags_é"])
def test_without_a_token_nobody_comes_in(said: str, owner: User) -> None:
    answer = Client().get("/api/v1/me", headers={"Authorization": said} if said else {})
    assert code_of(answer, 401) == "not_signed_in"
    assert answer["WWW-Authenticate"] == "Bearer"


def test_revoked_expired_and_switched_off_tokens_are_refused(owner: User) -> None:
    now = timezone.now()
    _expired, secret = create_token(
        owner, name="old", scopes=["read"], by=owner, now=now - timedelta(days=2),
        expires_at=now - timedelta(days=1),
    )  # fmt: skip
    assert code_of(Program(owner, secret).get("/me"), 401) == "not_signed_in"
    program = program_of(owner)
    assert program.get("/me").status_code == 200
    revoke_token(ApiToken.objects.get(name="test"), by=owner, now=now)
    assert code_of(program.get("/me"), 401) == "not_signed_in"
    other = program_of(owner)
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert code_of(other.get("/me"), 401) == "not_signed_in"


def test_only_a_digest_of_the_token_is_kept(owners: Program) -> None:
    token = ApiToken.objects.get()
    kept = " ".join(str(value) for value in vars(token).values())
    assert owners.secret not in kept
    assert len(owners.secret) > len(token.prefix) + 30


def test_use_is_written_at_most_once_a_minute(owners: Program) -> None:
    owners.get("/me")
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    owners.get("/me")
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=first - USED_EVERY)
    owners.get("/me")
    assert ApiToken.objects.filter(last_used_at__gt=first).exists()


def test_a_cookie_reads(owner_client: Client) -> None:
    told = owner_client.get("/api/v1/me").json()
    assert (told["user"], told["token"]) == ("owner", None)


@pytest.mark.parametrize(
    ("method", "address", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("POST", "/me", 405, "method_not_allowed"),
        ("GET", "/sessions/%00/", 404, "not_found"),
    ],
)
def test_every_error_has_the_one_shape(
    method: str, address: str, status: int, code: str, owners: Program
) -> None:
    assert code_of(owners.send(method, address), status) == code
