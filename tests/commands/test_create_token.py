"""manage.py create_token."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from sessions_app.models import ApiToken, User
from tests.api.conftest import Program
from tests.factories import make_project


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("create_token", *arguments, stdout=out)
    return out.getvalue().strip()


def test_the_token_is_printed_and_works(owner: User) -> None:
    secret = run("owner", "--scope", "read", "--scope", "write", "--name", "ci")
    told = Program(owner, secret).get("/me").json()
    assert (told["user"], told["scopes"]) == ("owner", ["read", "write"])


def test_facts_for_programs(owner: User) -> None:
    project = make_project("webshop")
    told = json.loads(
        run("owner@example.com", "--scope", "read", "--name", "ci", "--project", "webshop",
            "--expires", "90d", "--json")
    )  # fmt: skip
    assert told["token"].startswith(told["prefix"])
    assert (told["user"], told["project"], told["scopes"]) == ("owner", project.key, ["read"])
    assert told["expires_at"].endswith("Z")
    assert ApiToken.objects.get().expires_at is not None


def test_a_person_is_made_when_asked_for(db: None) -> None:
    secret = run("robot", "--scope", "write", "--name", "ci", "--create-user")
    robot = User.objects.get(username="robot")
    assert not robot.has_usable_password()
    assert Program(robot, secret).get("/me").status_code == 403  # no scope to read


@pytest.mark.parametrize(
    "arguments",
    [
        ("nobody", "--scope", "read", "--name", "ci"),
        ("owner", "--scope", "read", "--name", ""),
        ("owner", "--scope", "read", "--name", "ci", "--expires", "tomorrow"),
        ("owner", "--scope", "read", "--name", "ci", "--project", "none"),
        ("bad name!", "--scope", "read", "--name", "ci", "--create-user"),
    ],
)
def test_what_cannot_be_is_exit_2(arguments: tuple[str, ...], owner: User) -> None:
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    assert refused.value.returncode == 2
    assert not ApiToken.objects.exists()


def test_without_a_scope_it_says_what_is_missing(owner: User) -> None:
    with pytest.raises(CommandError, match="--scope"):
        run("owner", "--name", "ci")
