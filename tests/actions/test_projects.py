"""Which project a session belongs to, and who sees it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser

from sessions_app.actions.projects import audience_for, project_key
from sessions_app.models import AgentSession, Membership, Project, User
from tests.factories import make_session

KEYS = {
    "git@github.com:me/api.git": "github.com/me/api",
    "https://github.com/me/api": "github.com/me/api",
    "https://GitHub.com/me/api/": "github.com/me/api",
    "ssh://git@github.com:22/me/api.git": "github.com/me/api",
    "https://user@example.com/team/repo.git": "example.com/team/repo",
}


@pytest.mark.parametrize(("url", "key"), KEYS.items())
def test_every_spelling_of_a_remote_is_one_project(url: str, key: str) -> None:
    assert project_key(url, "host", "/somewhere") == (key, key.rsplit("/", 1)[-1])


def test_without_a_remote_the_folder_on_its_host_is_the_project() -> None:
    assert project_key("", "mac", "/work/api/") == ("mac:/work/api", "api")
    assert project_key("", "linux", "/work/api") == ("linux:/work/api", "api")
    assert project_key("", "mac", "") == ("", "")


def visible(user: User | AnonymousUser) -> set[int]:
    return set(AgentSession.objects.visible_to(user).values_list("pk", flat=True))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("visibility", "is_open", "owner_sees", "teammate_sees", "stranger_sees"),
    [
        ("private", True, True, False, False),
        ("project", True, True, True, True),
        ("project", False, True, True, False),
        ("everyone", False, True, True, True),
        ("numbers", True, True, False, False),
    ],
)
def test_who_sees_what(
    owner: User,
    teammate: User,
    stranger: User,
    admin_user: User,
    visibility: str,
    is_open: bool,
    owner_sees: bool,
    teammate_sees: bool,
    stranger_sees: bool,
) -> None:
    session = make_session(owner, visibility=visibility)
    project = Project.objects.create(
        key="k", name="k", is_open=is_open, created_at=session.created_at
    )
    for member in (owner, teammate):
        Membership.objects.create(project=project, user=member)
    session.project = project
    session.audience = audience_for(session)
    session.save()
    assert (session.pk in visible(owner)) is owner_sees
    assert (session.pk in visible(teammate)) is teammate_sees
    assert (session.pk in visible(stranger)) is stranger_sees
    assert session.pk in visible(admin_user)
    assert visible(AnonymousUser()) == set()
    editable = AgentSession.objects.editable_by
    assert editable(owner).exists()
    assert not editable(teammate).exists() and not editable(stranger).exists()
