"""The row, or 404 as if it did not exist."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import Http404

from sessions_app.models import AgentSession, IngestProblem, Membership, User
from sessions_app.models.session import audience_of_project, audience_of_user
from sessions_app.queries.access import AmbiguousId, problems_of, session_or_404
from tests.factories import NOON, make_project, make_session


@pytest.mark.parametrize("typed", ["k3f9w2m7q4ab", "k3f9", " K3F9W2 "])
def test_an_id_or_its_start_finds_the_session(owner: User, teammate: User, typed: str) -> None:
    session = make_session(owner, short_id="k3f9w2m7q4ab")
    make_session(owner, short_id="k3g000000000")
    assert session_or_404(teammate, typed) == session


@pytest.mark.parametrize("typed", ["", "k3f", "k3f9w2m7q4abc", "k3f9%", "k3f_", "ＫＫＫＫ", "zzzz"])
def test_what_is_no_id_is_not_found(owner: User, typed: str) -> None:
    make_session(owner, short_id="k3f9w2m7q4ab")
    with pytest.raises(Http404):
        session_or_404(owner, typed)


def test_an_ambiguous_start_answers_with_the_choices(owner: User) -> None:
    for number in range(12):
        make_session(owner, short_id=f"k3f9{number:08}")
    with pytest.raises(AmbiguousId) as refused:
        session_or_404(owner, "k3f9")
    assert refused.value.choices[0] == "k3f900000000"
    assert len(refused.value.choices) == 11


def test_what_one_may_not_see_makes_nothing_ambiguous(owner: User, stranger: User) -> None:
    make_session(owner, short_id="k3f900000000", audience=audience_of_user(owner.pk))
    seen = make_session(owner, short_id="k3f900000001")
    assert session_or_404(stranger, "k3f9") == seen


def test_stranger_and_visitor_find_nothing(owner: User, stranger: User) -> None:
    session = make_session(owner, audience=audience_of_user(owner.pk))
    for person in (stranger, AnonymousUser()):
        with pytest.raises(Http404):
            session_or_404(person, session.short_id)


def test_trash_is_not_found(owner: User) -> None:
    session = make_session(owner, trashed_at=NOON)
    with pytest.raises(Http404):
        session_or_404(owner, session.short_id)


def test_a_member_of_a_closed_project_finds_its_sessions(owner: User, teammate: User) -> None:
    project = make_project(is_open=False)
    session = make_session(owner, project=project, audience=audience_of_project(project.pk))
    with pytest.raises(Http404):
        session_or_404(teammate, session.short_id)
    Membership.objects.create(project=project, user=teammate)
    assert session_or_404(teammate, session.short_id) == session


def test_the_caller_may_narrow_and_widen_what_is_read(owner: User) -> None:
    session = make_session(owner)
    found = session_or_404(owner, session.short_id, AgentSession.objects.select_related("owner"))
    assert found.owner == owner


def test_problems_are_for_who_collected_the_file_and_for_staff(
    owner: User, stranger: User, admin_user: User
) -> None:
    problem = IngestProblem.objects.create(
        collector=owner, path="/a", reason="not JSON", seen_at=NOON
    )
    IngestProblem.objects.create(
        collector=owner, path="/b", reason="not JSON", seen_at=NOON, dismissed_at=NOON
    )
    assert list(problems_of(owner)) == [problem]
    assert list(problems_of(stranger)) == []
    assert list(problems_of(admin_user)) == [problem]
