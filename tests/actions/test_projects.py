"""Which project a session belongs to, and who may therefore see it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.actions.projects import audience_for, project_key, share_sessions
from sessions_app.models import AgentSession, Membership, Project, User
from tests.actions.conftest import Recorder, only_session, told
from tests.factories import make_project, make_session

API = "example.com/team/api"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/team/api", "https://example.com/team/api.git",
        "http://EXAMPLE.com/team/api/", "https://dev:secret@example.com:8443/team/api.git/",
        "git@example.com:team/api.git", "example.com:team/api", "git@Example.COM:/team/api.git",
        "ssh://git@example.com/team/api.git", "ssh://git@example.com:2222/team/api",
        "git+ssh://git@example.com/team/api", "git://example.com/team/api.git",
        "https://example.com/team/api?tab=readme#top", "example.com/team/api",
        "  https://example.com/team/api \n", "https://user@corp@example.com/team/api",
    ],
)  # fmt: skip
def test_one_repository_is_one_project(url: str) -> None:
    assert project_key(url, "host", "/srv/elsewhere") == (API, "api")


@pytest.mark.parametrize(
    "url",
    ["", "/srv/git/api.git", "../api.git", "./api", "file:///srv/git/api.git", "api",
     "C:\\repos\\api", "c:/repos/api", "~/api"],
)  # fmt: skip
def test_a_path_is_a_project_of_its_machine(url: str) -> None:
    assert project_key(url, "lab", "/srv/work/api/") == ("lab:/srv/work/api", "api")


@pytest.mark.parametrize(
    ("path", "key", "name"),
    [("/", "", ""), ("", "", ""), ("C:\\work\\shop\\", "lab:C:\\work\\shop", "shop"),
     ("/srv/报告", "lab:/srv/报告", "报告")],
)  # fmt: skip
def test_folders(path: str, key: str, name: str) -> None:
    assert project_key("", "lab", path) == (key, name)


@given(st.text(max_size=900), st.text(max_size=900))
def test_any_text_makes_a_key_that_can_be_stored(url: str, path: str) -> None:
    key, name = project_key(url, "lab", path)
    assert len(key.encode()) <= 600
    assert len(name) <= 200


def test_two_long_paths_stay_two() -> None:
    keys = {project_key("", "lab", "/srv/" + "目录" * 300 + end)[0] for end in "12"}
    assert len(keys) == 2


@pytest.mark.django_db
@pytest.mark.parametrize("new", ["open", "closed"])
def test_a_new_project_is_open_or_closed_as_the_settings_say(
    tell: Recorder, owner: User, teammate: User, settings: Any, new: str
) -> None:
    settings.SESSIONS_NEW_PROJECTS = new
    tell(told(repository_url="git@example.com:team/api.git", work_dir="/srv/api"))
    project = Project.objects.get()
    assert (project.key, project.is_open) == (API, new == "open")
    assert Membership.objects.get().role == "maintainer"
    for user, sees in ((owner, True), (teammate, new == "open")):
        assert AgentSession.objects.visible_to(user).exists() == sees


@pytest.mark.django_db
def test_the_folders_own_remote_names_its_project(tell: Recorder) -> None:
    by = tell.collector(remotes={"/srv/api": "https://example.com/team/api"})
    tell(told(work_dir="/srv/api"), by=by)
    assert only_session().project == Project.objects.get(key=API)


@pytest.mark.django_db
def test_a_project_given_by_hand_takes_new_sessions_only(tell: Recorder) -> None:
    tell(told("old", work_dir="/srv/old"))
    given = make_project("given")
    by = tell.collector(source_project=given)
    tell(told("old", work_dir="/srv/old"), told("new", work_dir="/srv/old"), by=by)
    keys = dict(AgentSession.objects.values_list("identity", "project__key"))
    assert keys == {"old": "here:/srv/old", "new": given.key}


@pytest.mark.django_db
def test_whoever_names_a_closed_project_does_not_get_in(
    tell: Recorder, owner: User, teammate: User
) -> None:
    """A log can name any repository: that makes nobody a member, and shows nobody anything."""
    project = make_project("api", key=API, is_open=False)
    Membership.objects.create(project=project, user=teammate, role="member")
    for recorder in (Recorder(teammate), tell):
        recorder(told(recorder.user.username, repository_url=f"https://{API}"))
    assert AgentSession.objects.get(owner=owner).project == project
    assert list(AgentSession.objects.visible_to(owner)) == [AgentSession.objects.get(owner=owner)]
    assert AgentSession.objects.visible_to(teammate).count() == 1
    Membership.objects.create(project=project, user=owner, role="member")
    share_sessions(project)
    for user in (owner, teammate):
        assert AgentSession.objects.visible_to(user).count() == 2


ROWS = ("private", "project", "everyone", "numbers")


@pytest.mark.django_db
@pytest.mark.parametrize("is_open", [True, False])
def test_who_sees_and_who_changes_what(
    owner: User, teammate: User, stranger: User, is_open: bool
) -> None:
    viewer, keeper = User.objects.create(username="viewer"), User.objects.create(username="keeper")
    admin = User.objects.create(username="boss", is_superuser=True)
    project = make_project(is_open=is_open)
    roles = {owner: "member", teammate: "member", viewer: "viewer", keeper: "maintainer"}
    for user, role in roles.items():
        Membership.objects.create(project=project, user=user, role=role)
    for visibility in ROWS:
        session = make_session(owner, project=project, visibility=visibility)
        session.audience = audience_for(session)
        session.save()
    trashed = make_session(owner, trashed_at=datetime.now(UTC))
    own, members, all_rows = set(ROWS), {"project", "everyone"}, {"everyone"}
    strangers = members if is_open else all_rows
    sees: list[tuple[Any, set[str], set[str]]] = [
        (owner, own, own), (teammate, members, set()), (viewer, members, set()),
        (keeper, members, members), (stranger, strangers, set()), (admin, own, own),
        (AnonymousUser(), set(), set()),
    ]  # fmt: skip
    for user, seen, changed in sees:
        for found, wanted in (
            (AgentSession.objects.visible_to(user), seen),
            (AgentSession.objects.editable_by(user), changed),
        ):
            assert set(found.values_list("visibility", flat=True)) == wanted, user
            assert trashed not in found
