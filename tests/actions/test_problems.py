"""Dismissing what could not be read."""

from __future__ import annotations

import pytest

from sessions_app.actions.problems import dismiss
from sessions_app.models import IngestProblem, User
from sessions_app.queries.access import problems_of
from tests.factories import NOON


def problem(collector: User, line: int, source: str = "codex") -> IngestProblem:
    return IngestProblem.objects.create(
        collector=collector, source=source, path="/a", line=line, reason="not JSON", seen_at=NOON
    )


@pytest.fixture
def problems(owner: User, teammate: User) -> list[IngestProblem]:
    return [
        problem(owner, 1), problem(owner, 2), problem(owner, 3, "clinvk"), problem(teammate, 4)
    ]  # fmt: skip


def lines(user: User) -> list[int]:
    return sorted(problems_of(user).values_list("line", flat=True))


def test_one(owner: User, problems: list[IngestProblem]) -> None:
    assert dismiss(by=owner, ids=[problems[0].pk]) == 1
    assert lines(owner) == [2, 3]
    assert dismiss(by=owner, ids=[problems[0].pk]) == 0


def test_all_of_one_source(owner: User, problems: list[IngestProblem]) -> None:
    assert dismiss(by=owner, source="codex") == 2
    assert lines(owner) == [3]


def test_all_are_all_of_mine(owner: User, teammate: User, problems: list[IngestProblem]) -> None:
    assert dismiss(by=owner) == 3
    assert (lines(owner), lines(teammate)) == ([], [4])


def test_stranger_cannot_dismiss(
    owner: User, stranger: User, problems: list[IngestProblem]
) -> None:
    assert dismiss(by=stranger, ids=[row.pk for row in problems]) == 0
    assert lines(owner) == [1, 2, 3]


def test_staff_can_dismiss_everything(admin_user: User, problems: list[IngestProblem]) -> None:
    assert dismiss(by=admin_user) == 4
