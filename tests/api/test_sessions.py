"""Sessions: create, find by name, read, edit, put away."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sessions_app.models import AgentSession, AuditEntry, Membership, StatusChange, User
from tests.api.conftest import Program, code_of, program_of
from tests.factories import make_project, make_session
from tests.invariants import check_invariants

FULL: dict[str, Any] = {
    "name": "nightly", "backend": "claude", "backend_session_id": "7f0c-1", "model": "m-1",
    "title": "Nightly run", "description": "All of it", "prompt": "Go", "tags": ["a", "b"],
    "work_dir": "/projects/myapp", "git_branch": "main", "host": "builder", "total_steps": 100,
    "current_task": "start", "progress": 0.1, "metadata": {"run": 17}, "visibility": "everyone",
    "exit_code": 0, "duration_seconds": 1.5,
}  # fmt: skip


def make(program: Program, **fields: Any) -> dict[str, Any]:
    answer = program.post("/sessions", fields)
    assert answer.status_code in (200, 201), answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_everything_that_was_told_is_read_again(owners: Program) -> None:  # K4
    made = make(owners, **FULL)
    found = owners.get(f"/sessions/{made['id']}")
    assert found.json() == made
    same = {name: value for name, value in FULL.items() if name in made}
    assert {name: made[name] for name in same} == same
    assert (made["status"], made["resumable"], made["source"]) == ("active", True, "api")
    assert made["resume_command"] == "cd /projects/myapp && claude --resume 7f0c-1"
    check_invariants()


def test_without_an_id_of_the_backend_it_is_created_and_says_why(owners: Program) -> None:
    made = make(owners)
    assert (made["status"], made["backend"], made["resumable"]) == ("created", "api", False)
    assert made["not_resumable_because"]
    assert StatusChange.objects.get().status == "created"


def test_a_name_finds_the_session_again(owners: Program, teammates: Program) -> None:
    """Part of K2: switch between named sessions, context still there."""
    one = make(owners, name="project-a")
    two = make(owners, name="project-b")
    owners.post(f"/sessions/{one['id']}/messages", {"messages": [{"role": "user", "content": "a"}]})
    assert make(owners, name="project-a")["message_count"] == 1
    assert make(owners, name="project-b")["id"] == two["id"] != one["id"]
    assert make(teammates, name="project-a")["id"] != one["id"]


def test_the_two_spellings_of_an_accent_are_one_name(owners: Program) -> None:
    assert make(owners, name="caf\u00e9")["id"] == make(owners, name="cafe\u0301")["id"]


@pytest.mark.parametrize(
    "name",
    [
        "", " ", "..", "a/b", "a\\b", "%00", "a%2fb", "x" * 10_000, "latest", "New", "a\0b",
        "a\nb", "a\u202eb", "a\u200bb", "\ud800",
    ],
)  # fmt: skip
def test_bad_names_are_refused(name: str, owners: Program) -> None:
    code_of(owners.post("/sessions", {"name": name}), 400)
    assert not AgentSession.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"progress": 2}, {"progress": "0.5"}, {"total_steps": 2**63}, {"total_steps": -1},
        {"tags": ["x" * 101]}, {"tags": "a"}, {"visibility": "all"}, {"backend": "No/Such"},
        {"kind": "other"}, {"metadata": []}, {"created_at": "yesterday"}, {"unknown": 1},
        {"owner": "teammate"}, {"title": "x" * 501}, {"exit_code": 2**31}, {"ephemeral": "yes"},
    ],
)  # fmt: skip
def test_bad_values_are_refused(wrong: dict[str, Any], owners: Program) -> None:
    code_of(owners.post("/sessions", wrong), 400)
    assert not AgentSession.objects.exists()


def test_free_json_may_not_be_an_abyss(owners: Program) -> None:
    deep: Any = 1
    for _ in range(60):
        deep = {"a": deep}
    code_of(owners.post("/sessions", {"metadata": deep}), 400)


def test_a_future_time_counts_as_now(owners: Program) -> None:
    made = make(owners, created_at="2101-01-01T00:00:00Z")
    assert made["created_at"] < "2101"
    assert make(owners, created_at="2020-01-01T00:00:00")["created_at"].startswith("2020-01-01T00")


def test_the_same_session_of_the_backend_is_one(owners: Program, teammates: Program) -> None:
    first = make(owners, backend="claude", backend_session_id="7f0c-1")
    assert make(owners, backend="claude", backend_session_id="7f0c-1")["id"] == first["id"]
    assert make(owners, backend="codex", backend_session_id="7f0c-1")["id"] != first["id"]
    assert make(teammates, backend="claude", backend_session_id="7f0c-1")["id"] != first["id"]
    owners.delete(f"/sessions/{first['id']}")
    again = owners.post("/sessions", {"backend": "claude", "backend_session_id": "7f0c-1"})
    assert code_of(again, 409) == "already_there"


def test_the_list_filters_sorts_and_turns_pages(owners: Program) -> None:  # K6
    for number in range(5):
        tags = ["even"] if number % 2 == 0 else ["odd"]
        make(owners, title=f"run {number}", tags=tags, backend="claude")
    make(owners, backend="codex", backend_session_id="x")
    page = owners.get("/sessions?tag=even&sort=created&limit=2").json()
    titles = [item["title"] for item in page["items"]]
    rest = owners.get(f"/sessions?tag=even&sort=created&limit=2&cursor={page['next']}").json()
    assert (titles, rest["next"]) == (["run 0", "run 2"], None)
    assert [item["title"] for item in rest["items"]] == ["run 4"]
    [latest] = owners.get("/sessions?resumable=1&limit=1").json()["items"]
    assert latest["backend"] == "codex"
    assert len(owners.get("/sessions?tag=even&tag=odd&tag_mode=any").json()["items"]) == 5
    assert len(owners.get("/sessions?status=active&backend=codex").json()["items"]) == 1


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "sort=x", "status=x", "since=x", "cursor=x", "has=x"]
)
def test_a_bad_filter_is_refused(query: str, owners: Program) -> None:
    code_of(owners.get(f"/sessions?{query}"), 400)


def test_ten_more_sessions_take_as_many_queries(owners: Program, owner: User) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            owners.get("/sessions?limit=100")
        return len(found)

    make_session(owner)
    queries()  # the first writes that the token was used
    few = queries()
    for _ in range(10):
        make_session(owner)
    assert queries() == few


def test_an_edit_needs_what_was_read(owners: Program) -> None:
    made = owners.post("/sessions", FULL)
    address = f"/sessions/{made.json()['id']}"
    first = owners.patch(address, {"title": "One", "progress": None}, If_Match=made["ETag"])
    assert (first.json()["title"], first.json()["progress"]) == ("One", None)
    assert code_of(owners.patch(address, {"title": "Two"}, If_Match=made["ETag"]), 412)
    assert owners.get(address).json()["title"] == "One"
    assert owners.patch(address, {"title": "Two"}, If_Match=first["ETag"]).status_code == 200
    assert owners.patch(address, {"title": "Three"}, If_Match="*").status_code == 200
    assert code_of(owners.patch(address, {"title": "Four"}, If_Match='"x"'), 412)
    check_invariants()


def test_appending_makes_no_etag_stale(owners: Program) -> None:
    made = owners.post("/sessions", {})
    address = f"/sessions/{made.json()['id']}"
    owners.post(f"{address}/messages", {"messages": [{"role": "user", "content": "a"}]})
    assert owners.patch(address, {"title": "x"}, If_Match=made["ETag"]).status_code == 200


def test_an_edit_may_not_take_what_others_have(owners: Program) -> None:
    make(owners, name="taken", backend="claude", backend_session_id="n-1")
    other = make(owners, backend="claude")
    address = f"/sessions/{other['id']}"
    assert code_of(owners.patch(address, {"name": "taken"}), 409) == "name_taken"
    answer = owners.patch(address, {"backend_session_id": "n-1"})
    assert code_of(answer, 409) == "already_there"
    late = owners.patch(address, {"backend_session_id": "n-2"}).json()
    assert (late["resumable"], late["backend_session_id"]) == (True, "n-2")
    assert code_of(owners.patch(address, {"backend_session_id": "n-3"}), 400)


def test_in_the_trash_it_is_not_there(owners: Program) -> None:
    made = make(owners, name="old")
    assert owners.delete(f"/sessions/{made['id']}").status_code == 204
    assert code_of(owners.get(f"/sessions/{made['id']}"), 404)
    assert code_of(owners.delete(f"/sessions/{made['id']}"), 404)
    assert make(owners, name="old")["id"] != made["id"]
    assert AuditEntry.objects.filter(action="session.trash", target=made["id"]).exists()


def test_a_protected_session_stays(owners: Program) -> None:
    made = make(owners, protected=True)
    assert code_of(owners.delete(f"/sessions/{made['id']}"), 409) == "protected"
    assert owners.get(f"/sessions/{made['id']}").status_code == 200


def test_a_prefix_will_do_until_it_is_ambiguous(owners: Program, owner: User) -> None:
    make_session(owner, short_id="abcd00000001")
    assert owners.get("/sessions/abcd").json()["id"] == "abcd00000001"
    make_session(owner, short_id="abcd00000002")
    answer = owners.get("/sessions/abcd")
    assert code_of(answer, 409) == "ambiguous_id"
    assert answer.json()["error"]["details"]["choices"] == ["abcd00000001", "abcd00000002"]
    assert code_of(owners.get("/sessions/abc"), 404)


WRITES = [("PATCH", "", {"title": "x"}), ("DELETE", "", None), ("DELETE", "/messages", None),
          ("POST", "/messages", {"messages": [{"role": "user", "content": "x"}]}),
          ("POST", "/tags", {"tags": ["x"]}), ("DELETE", "/tags", {"tags": ["x"]})]  # fmt: skip


@pytest.mark.parametrize(("method", "rest", "body"), WRITES)
def test_teammates_see_and_strangers_do_not(
    method: str, rest: str, body: Any, owner: User, teammate: User,
    teammates: Program, strangers: Program,
) -> None:  # fmt: skip
    project = make_project(is_open=False)
    Membership.objects.create(project=project, user=owner)
    Membership.objects.create(project=project, user=teammate)
    session = make_session(
        owner, project=project, visibility="project", audience=project.pk, title="Secret"
    )
    address = f"/sessions/{session.short_id}"
    assert teammates.get(address).json()["title"] == "Secret"
    assert code_of(teammates.send(method, address + rest, body), 403) == "not_yours"
    for answer in (strangers.get(address), strangers.send(method, address + rest, body)):
        assert code_of(answer, 404) == "not_found"
    assert strangers.get("/sessions").json()["items"] == []
    assert strangers.get(f"{address}/messages").status_code == 404
    session.refresh_from_db()
    assert (session.title, session.trashed_at, session.last_seq) == ("Secret", None, 0)


def test_a_maintainer_may_change_it(owner: User, teammate: User, teammates: Program) -> None:
    project = make_project()
    Membership.objects.create(project=project, user=teammate, role="maintainer")
    session = make_session(owner, project=project)
    answer = teammates.patch(f"/sessions/{session.short_id}", {"title": "Better"})
    assert answer.json()["title"] == "Better"


def test_a_token_for_a_project_stays_in_it(owner: User) -> None:
    inside, outside = make_project("inside"), make_project("outside")
    elsewhere = make_session(owner, project=outside, name="elsewhere")
    program = program_of(owner, project=inside)
    made = make(program, project="outside", work_dir="/projects/other")
    assert made["project"] == "inside"
    assert [item["id"] for item in program.get("/sessions").json()["items"]] == [made["id"]]
    assert program.get(f"/sessions/{elsewhere.short_id}").status_code == 404
    assert program.patch(f"/sessions/{elsewhere.short_id}", {"title": "x"}).status_code == 404
    answer = program.post("/sessions", {"name": "elsewhere"})
    assert code_of(answer, 409) == "name_taken"


def test_scopes_are_kept(owner: User) -> None:
    session = make_session(owner)
    reader, writer = program_of(owner, ["read"]), program_of(owner, ["write"])
    address = f"/sessions/{session.short_id}"
    assert reader.get(address).status_code == 200
    assert code_of(reader.patch(address, {"title": "x"}), 403) == "forbidden"
    assert writer.patch(address, {"title": "x"}).status_code == 200
    assert code_of(writer.get(address), 403) == "forbidden"


def test_a_browser_writes_only_with_its_csrf_token(owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
    json_type = "application/json"
    refused = client.post("/api/v1/sessions", {}, content_type=json_type)
    assert code_of(refused, 403) == "forbidden"
    client.get("/tokens/")
    token = client.cookies["csrftoken"].value
    made = client.post(
        "/api/v1/sessions", {}, content_type=json_type, headers={"X-CSRFToken": token}
    )
    assert made.status_code == 201
