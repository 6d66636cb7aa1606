"""Tags on sessions, and which there are."""

from __future__ import annotations

from typing import Any

import pytest

from sessions_app.models import Tag, User
from tests.api.conftest import Program, code_of
from tests.factories import make_session, tag


@pytest.fixture
def address(owners: Program) -> str:
    return f"/sessions/{owners.post('/sessions', {'tags': ['a']}).json()['id']}"


def test_tags_come_and_go(owners: Program, address: str) -> None:
    assert owners.post(f"{address}/tags", {"tags": ["b", " a ", "日志"]}).json() == {
        "tags": ["a", "b", "日志"]
    }
    assert owners.delete(f"{address}/tags", {"tags": ["a", "none"]}).json()["tags"] == ["b", "日志"]
    assert owners.get(address).json()["tags"] == ["b", "日志"]
    assert owners.patch(address, {"tags": ["z"]}).json()["tags"] == ["z"]


@pytest.mark.parametrize(
    "wrong", [{}, {"tags": []}, {"tags": [" "]}, {"tags": ["x" * 101]}, {"tags": [1]}, ["a"]]
)
def test_bad_tags_are_refused(wrong: Any, owners: Program, address: str) -> None:
    code_of(owners.post(f"{address}/tags", wrong), 400)
    assert Tag.objects.count() == 1


def test_a_session_has_at_most_100(owners: Program, address: str) -> None:
    many = [f"t{number}" for number in range(100)]
    code_of(owners.post(f"{address}/tags", {"tags": many}), 400)
    assert owners.post(f"{address}/tags", {"tags": many[:99]}).status_code == 200


def test_only_tags_of_what_one_may_see(owner: User, owners: Program, strangers: Program) -> None:
    tag(make_session(owner), "shared", "both")
    tag(make_session(owner, visibility="private", audience=-owner.pk), "hidden", "both")
    found = owners.get("/tags").json()["items"]
    assert [(item["tag"], item["sessions"]) for item in found] == [
        ("both", 2), ("hidden", 1), ("shared", 1),
    ]  # fmt: skip
    assert [item["tag"] for item in strangers.get("/tags").json()["items"]] == ["both", "shared"]
