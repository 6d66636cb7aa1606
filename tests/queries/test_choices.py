"""What the filters offer."""

from __future__ import annotations

import pytest

from sessions_app.models import User
from sessions_app.models.session import audience_of_user
from sessions_app.queries.choices import CHOICES
from tests.factories import NOON, make_project, make_session, tag


@pytest.fixture
def archive(owner: User, teammate: User) -> None:
    for number, name in enumerate(("api", "web", "api")):
        project = make_project(name, key=f"example.com/{number}/{name}")
        session = make_session(owner, project=project)
        tag(session, f"tag{number}")
    mine = audience_of_user(teammate.pk)
    tag(make_session(teammate, project=make_project("secret"), audience=mine), "hidden")
    tag(make_session(owner, project=make_project("gone"), trashed_at=NOON), "trashed")


def values(user: User, name: str) -> list[str]:
    return [choice.value for choice in CHOICES[name](user)]


def test_projects_of_the_same_name_go_by_their_key(archive: None, owner: User) -> None:
    assert values(owner, "project") == ["example.com/0/api", "example.com/2/api", "web"]
    assert CHOICES["project"](owner)[0].label == "api · example.com/0/api"


def test_only_what_visible_sessions_have_is_offered(
    archive: None, owner: User, teammate: User, stranger: User
) -> None:
    assert values(owner, "tag") == ["tag0", "tag1", "tag2"]
    assert values(owner, "owner") == ["owner"]
    assert values(teammate, "tag") == ["hidden", "tag0", "tag1", "tag2"]
    assert values(teammate, "owner") == ["owner", "teammate"]
    assert "secret" in values(teammate, "project")
    assert "secret" not in values(stranger, "project")
