"""Archives through the API."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from sessions_app.models import AgentSession, Message, User
from tests.api.conftest import Program, code_of
from tests.factories import make_session
from tests.invariants import check_invariants


def started(program: Program) -> str:
    short_id: str = program.post("/sessions", {"backend": "api", "name": "nightly"}).json()["id"]
    said = [
        {"role": "user", "content": "Do it"},
        {"role": "assistant", "model": "claude-sonnet-4-5", "usage": {"input": 5, "output": 7},
         "content": [{"type": "text", "text": "Yes"},
                     {"type": "tool_use", "id": "c1", "name": "Bash", "input": {"x": 1}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "c1", "content": "done"}]},
    ]  # fmt: skip
    assert program.post(f"/sessions/{short_id}/messages", {"messages": said}).status_code == 200
    program.put(f"/sessions/{short_id}/snapshots/10", {"state": {"n": 1}})
    program.put(f"/sessions/{short_id}/artifacts/a/b.txt", b"hello")
    return short_id


def export(program: Program, short_id: str) -> bytes:
    answer = program.get(f"/sessions/{short_id}/export?as=zip")
    assert answer.status_code == 200
    assert answer["Content-Disposition"] == f'attachment; filename="{short_id}.zip"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    return b"".join(answer.streaming_content)


def told(program: Program, short_id: str, *endings: str) -> list[Any]:
    return [program.get(f"/sessions/{short_id}{ending}").json() for ending in endings]


def test_out_and_in_is_the_same_to_every_call(owners: Program, teammates: Program) -> None:
    mine = started(owners)
    data = export(owners, mine)
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert names == [
        f"{mine}/metadata.json", f"{mine}/messages.jsonl", f"{mine}/snapshots/step_10.json",
        f"{mine}/artifacts/a/b.txt", "manifest.json",
    ]  # fmt: skip
    [item] = teammates.post("/import", data).json()["items"]
    assert (item["status"], item["archive_id"], item["messages"]) == ("created", mine, 3)
    one, two = (
        told(program, short_id, "/messages", "/snapshots/latest", "")
        for program, short_id in ((owners, mine), (teammates, item["id"]))
    )
    for message in [*one[0]["items"], *two[0]["items"]]:
        message.pop("received_at")
    assert one[0] == two[0]
    assert one[1]["state"] == two[1]["state"]
    assert one[2]["token_usage"]["total"] == two[2]["token_usage"]["total"] == 12
    check_invariants()


def test_again_changes_nothing(owners: Program, teammates: Program) -> None:
    data = export(owners, started(owners))
    first = teammates.post("/import", data, Idempotency_Key="k")
    replayed = teammates.post("/import", data, Idempotency_Key="k")
    assert replayed.content == first.content
    again = teammates.post("/import", data).json()["items"]
    assert [item["status"] for item in again] == ["unchanged"]
    assert [item["id"] for item in again] == [item["id"] for item in first.json()["items"]]
    assert [item["status"] for item in owners.post("/import", data).json()["items"]] == [
        "unchanged"
    ]
    assert AgentSession.objects.count() == 2


@pytest.mark.parametrize("data", [b"", b"x", b"{}", b"PK\3\4" * 50])
def test_what_is_no_archive_is_refused(owners: Program, data: bytes) -> None:
    assert code_of(owners.post("/import", data), 400) == "bad_archive"
    assert not AgentSession.objects.exists()


def test_a_bomb_is_refused(owners: Program) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("s/metadata.json", json.dumps({"id": "s"}))
        file.writestr("s/artifacts/zeros", b"\0" * (70 * 1024 * 1024))
    assert code_of(owners.post("/import", out.getvalue()), 413) == "too_large"


def test_three_people(owner: User, owners: Program, teammates: Program, strangers: Program) -> None:
    shared, private = make_session(owner), make_session(owner, visibility="private")
    AgentSession.objects.filter(pk=private.pk).update(audience=-owner.pk)
    assert strangers.get(f"/sessions/{private.short_id}/export").status_code == 404
    data = export(teammates, shared.short_id)
    [item] = strangers.post("/import", data).json()["items"]
    assert strangers.get(f"/sessions/{item['id']}").json()["owner"] == "stranger"
    hidden = export(owners, private.short_id)
    [item] = owners.post("/import", hidden).json()["items"]
    assert strangers.get(f"/sessions/{item['id']}").status_code == 404
    assert not Message.objects.exists()


def test_an_unknown_format_is_refused(owners: Program, owner: User) -> None:
    session = make_session(owner)
    assert code_of(owners.get(f"/sessions/{session.short_id}/export?as=tar"), 400) == "invalid"
