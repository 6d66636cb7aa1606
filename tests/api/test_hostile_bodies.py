"""The hostile bodies of tests/hostile/40_api_bodies.jsonl: a clear 4xx, and nothing changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sessions_app.models import Message
from tests.api.conftest import Program, code_of

FILE = Path(__file__).parents[1] / "hostile" / "40_api_bodies.jsonl"
CASES = {case["case"]: case for case in map(json.loads, FILE.read_text("utf-8").splitlines())}


@pytest.fixture
def address(owners: Program) -> str:
    return f"/sessions/{owners.post('/sessions', {}).json()['id']}"


@pytest.mark.parametrize("name", ["nan", "big", "wrong", "scalar"])
@pytest.mark.parametrize("pattern", ["%s", '{"messages": [%s]}'])
def test_a_bad_body_is_400(name: str, pattern: str, owners: Program, address: str) -> None:
    body = (pattern % CASES[name]["body"]).encode()
    code_of(owners.post(f"{address}/messages", body), 400)
    assert not Message.objects.exists()


def test_the_latest_snapshot_is_that_of_the_highest_step(owners: Program, address: str) -> None:
    assert CASES["order"]["expect"] == "latest is 10"
    for step in (2, 10, 4):
        assert owners.put(f"{address}/snapshots/{step}", {"step": step}).status_code in (200, 201)
    assert owners.get(f"{address}/snapshots/latest").json()["step"] == 10


def test_a_key_twice_gives_one_row(owners: Program, address: str) -> None:
    body = {"messages": [{"role": "user", "content": "x"}]}
    both = [owners.post(f"{address}/messages", body, Idempotency_Key="k") for _ in range(2)]
    assert both[0].json()["items"][0]["seq"] == both[1].json()["items"][0]["seq"] == 1
    assert Message.objects.count() == 1


def test_two_edits_with_one_etag(owners: Program, address: str) -> None:
    etag = owners.get(address)["ETag"]
    both = [owners.patch(address, {"title": title}, If_Match=etag) for title in ("a", "b")]
    assert [answer.status_code for answer in both] == [200, 412]


def test_every_case_of_the_file_is_tried() -> None:
    assert set(CASES) == {"nan", "big", "wrong", "scalar", "order", "idem", "if_match"}
