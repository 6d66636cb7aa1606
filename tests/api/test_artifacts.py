"""Artifacts through the API."""

from __future__ import annotations

import gzip
import hashlib
from typing import Any

import pytest

from sessions_app.models import AgentSession, Artifact, User
from tests.api.conftest import Program, code_of
from tests.factories import make_session
from tests.invariants import check_stored_files

HTML = b"<script>window.__x = 1</script>"


@pytest.fixture
def session(owner: User) -> AgentSession:
    return make_session(owner)


def put(program: Program, session: AgentSession, path: str, body: bytes, **headers: str) -> Any:
    return program.put(f"/sessions/{session.short_id}/artifacts/{path}", body, **headers)


def body_of(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_a_file_comes_back_as_an_attachment_that_nobody_runs(
    owners: Program, session: AgentSession
) -> None:
    stored = put(owners, session, "sub/report.html", HTML)
    digest = hashlib.sha256(HTML).hexdigest()
    assert stored.status_code == 201
    assert (stored.json()["sha256"], stored.json()["size"]) == (digest, len(HTML))
    answer = owners.get(f"/sessions/{session.short_id}/artifacts/sub/report.html")
    assert body_of(answer) == HTML
    assert answer["Content-Disposition"] == 'attachment; filename="report.html"'
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert (answer["ETag"], answer["Content-Length"]) == (f'"{digest}"', str(len(HTML)))


@pytest.mark.parametrize(
    "path",
    ["..%2fx", "a/..%2f..%2fb", "%2fetc/passwd", "a%00b", "a//b", "a%5cb", "x" * 10_000],
)
def test_a_name_that_leads_somewhere_is_refused(
    owners: Program, session: AgentSession, path: str
) -> None:
    code_of(put(owners, session, path, b"x"), 400)
    assert not Artifact.objects.exists()
    assert owners.get(f"/sessions/{session.short_id}/artifacts/{path}").status_code in (400, 404)


@pytest.mark.parametrize(
    "name", ["报告.md", "a b.txt", "con", "latest", 'q".txt', "résumé.txt", "a;b=c", "%2541"]
)
def test_any_other_name_is_fine(owners: Program, session: AgentSession, name: str) -> None:
    assert put(owners, session, name, b"x").status_code == 201
    [item] = owners.get(f"/sessions/{session.short_id}/artifacts").json()["items"]
    answer = owners.get(f"/sessions/{session.short_id}/artifacts/{name}")
    assert body_of(answer) == b"x"
    assert "\n" not in answer["Content-Disposition"]
    assert item["size"] == 1


def test_replace_list_and_delete(owners: Program, session: AgentSession) -> None:
    for path, body in (("b", b"1"), ("a", b"1"), ("b", b"22")):
        put(owners, session, path, body)
    address = f"/sessions/{session.short_id}/artifacts"
    items = owners.get(address).json()["items"]
    assert [(item["path"], item["size"]) for item in items] == [("a", 1), ("b", 2)]
    assert put(owners, session, "b", b"22").status_code == 200
    assert owners.delete(f"{address}/b").status_code == 204
    assert code_of(owners.delete(f"{address}/b"), 404) == "not_found"
    assert code_of(owners.get(f"{address}/b"), 404) == "not_found"
    check_stored_files()


def test_it_is_streamed_inflated_and_counted(
    owners: Program, session: AgentSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"log line\n" * 300_000
    packed = gzip.compress(data)
    assert put(owners, session, "log", packed, Content_Encoding="gzip").json()["size"] == len(data)
    answer = owners.get(f"/sessions/{session.short_id}/artifacts/log")
    blocks = list(answer.streaming_content)
    assert b"".join(blocks) == data
    assert len(blocks) > 1
    monkeypatch.setattr("sessions_app.api.artifacts.MAX_ARTIFACT", 1_000_000)
    refused = put(owners, session, "log2", packed, Content_Encoding="gzip")
    assert code_of(refused, 413) == "too_large"
    assert session.artifacts.count() == 1


def test_a_retry_is_answered_the_same(owners: Program, session: AgentSession) -> None:
    first = put(owners, session, "a", b"1", Idempotency_Key="k1")
    again = put(owners, session, "a", b"1", Idempotency_Key="k1")
    assert (again.status_code, again.content) == (201, first.content)
    other = put(owners, session, "a", b"2", Idempotency_Key="k1")
    assert code_of(other, 409) == "idempotency_key_reused"
    assert session.artifacts.get().size == 1


def test_three_people(owner: User, owners: Program, teammates: Program, strangers: Program) -> None:
    shared = make_session(owner)
    private = make_session(owner, visibility="private", audience=-owner.pk)
    assert put(teammates, shared, "a", b"1").status_code == 403
    assert put(strangers, private, "a", b"1").status_code == 404
    for session in (shared, private):
        assert put(owners, session, "a", b"1").status_code == 201
    for ending in ("", "/a"):
        answer = teammates.get(f"/sessions/{shared.short_id}/artifacts{ending}")
        assert answer.status_code == 200
        assert not answer.streaming or body_of(answer) == b"1"
        assert strangers.get(f"/sessions/{private.short_id}/artifacts{ending}").status_code == 404
    assert teammates.delete(f"/sessions/{shared.short_id}/artifacts/a").status_code == 403
    assert strangers.delete(f"/sessions/{private.short_id}/artifacts/a").status_code == 404


def test_two_sessions_share_bytes_but_not_sight(
    owner: User, owners: Program, strangers: Program
) -> None:
    private = make_session(owner, visibility="private", audience=-owner.pk)
    put(owners, private, "a", b"secret")
    own = strangers.post("/sessions", {"backend": "api"}).json()["id"]
    stored = strangers.put(f"/sessions/{own}/artifacts/guess", b"secret")
    assert stored.status_code == 201  # the same answer as for bytes that nobody has
    assert Artifact.objects.values("sha256").distinct().count() == 1
