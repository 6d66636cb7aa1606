"""Programs that act for the three people."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from sessions_app.actions.api_tokens import create_token
from sessions_app.models import Project, User


class Program:
    """An HTTP client with a token; addresses are relative to /api/v1."""

    def __init__(self, user: User, secret: str) -> None:
        self.user, self.secret, self.client = user, secret, Client()

    def send(self, method: str, address: str, body: Any = None, **headers: str) -> Any:
        """The answer; headers by keyword, with _ for -. `body` is JSON, or bytes as they are."""
        data = body if isinstance(body, bytes) else b"" if body is None else encoded(body)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.generic(
            method, f"/api/v1{address}", data, content_type="application/json",
            headers={"Authorization": f"Bearer {self.secret}", **names},
        )  # fmt: skip

    def get(self, address: str, **headers: str) -> Any:
        return self.send("GET", address, **headers)

    def post(self, address: str, body: Any = None, **headers: str) -> Any:
        return self.send("POST", address, body, **headers)

    def put(self, address: str, body: Any = None, **headers: str) -> Any:
        return self.send("PUT", address, body, **headers)

    def patch(self, address: str, body: Any = None, **headers: str) -> Any:
        return self.send("PATCH", address, body, **headers)

    def delete(self, address: str, body: Any = None, **headers: str) -> Any:
        return self.send("DELETE", address, body, **headers)


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


def program_of(
    user: User, scopes: Collection[str] = ("read", "write"), project: Project | None = None
) -> Program:
    now = timezone.now()
    _token, secret = create_token(
        user, name="test", scopes=scopes, by=user, now=now, project=project
    )
    return Program(user, secret)


def code_of(answer: Any, status: int) -> str:
    """The code of an error, whose status and shape are asserted."""
    body = json.loads(answer.content)
    assert answer.status_code == status, body
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["error"]["message"]
    return str(body["error"]["code"])


@pytest.fixture
def owners(owner: User) -> Program:
    """The owner's program."""
    return program_of(owner)


@pytest.fixture
def teammates(teammate: User) -> Program:
    return program_of(teammate)


@pytest.fixture
def strangers(stranger: User) -> Program:
    return program_of(stranger)
