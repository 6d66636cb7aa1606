"""Raw push: bytes of other machines, in any pieces, become the same sessions."""

from __future__ import annotations

import gzip
import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings

from sessions_app.ingest.push import Push, push_file
from sessions_app.ingest.run import Wish, ingest
from sessions_app.ingest.spool import place_of
from sessions_app.models import (
    AgentSession,
    ExcludeRule,
    IngestProblem,
    Message,
    PushedFile,
    RawFile,
    User,
)
from tests.api.conftest import Program, code_of, program_of
from tests.dump import all_rows
from tests.factories import NOON, make_project
from tests.faults import fail_everywhere
from tests.ingest.talks import Talk, subagent
from tests.invariants import check_invariants, raw_bytes

SAMPLES = Path(__file__).parent.parent / "agents" / "samples"
TALK = Talk("11111111").turns(3)
PATH = f"~/.claude/projects/-home-dev-shop/{TALK.name}.jsonl"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SESSIONS_STORAGE_DIR", tmp_path / "blobs")
    monkeypatch.setattr(settings, "SESSIONS_DATA_DIR", tmp_path)


def head(data: bytes, offset: int) -> str:
    return hashlib.sha256(data[: min(offset, 4096)]).hexdigest()


def push(program: Program, body: bytes, headers: dict[str, str] | None = None, **place: Any) -> Any:
    query = {"source": "claude-code", "host": "laptop", "path": PATH, **place}
    return program.put(f"/ingest/files?{urlencode(query)}", body, **(headers or {}))


def texts() -> list[str]:
    return list(Message.objects.order_by("session", "seq").values_list("text", flat=True))


def test_a_file_comes_in_pieces_of_any_size(owners: Program) -> None:
    data = TALK.data()
    offset = 0
    for end in (1, 700, 701, 2000, len(data)):
        told = push(owners, data[offset:end], offset=offset, head=head(data, offset))
        assert told.status_code == 200, told.content
        assert told.json()["size"] == end
        offset = end
        check_invariants()
    assert len(texts()) == 6
    session = AgentSession.objects.get()
    assert (session.host, session.source, session.owner.username) == (
        "laptop", "claude-code", "owner",
    )  # fmt: skip
    file = RawFile.objects.get()
    assert (file.path, file.host, raw_bytes(file)) == (PATH, "laptop", data)
    assert push(owners, b"", offset=offset, head=head(data, offset)).json()["messages"] == 0


def test_it_is_the_same_as_reading_it_here(
    owner: User, owners: Program, teammate: User, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    TALK.write(home)
    ingest(Wish(owner=teammate, home=home, paths=[home], jobs=0, host="laptop"))
    push(owners, TALK.data())
    one, two = AgentSession.objects.order_by("pk")
    rows = [
        list(session.messages.order_by("seq").values_list("key", "text", "kind", "at"))
        for session in (one, two)
    ]
    assert rows[0] == rows[1]
    assert (one.total_tokens, one.status, one.title) == (two.total_tokens, two.status, two.title)


def test_a_sender_asks_and_sends_only_what_is_new(owners: Program) -> None:
    data = TALK.data()
    push(owners, data[:900])
    [known] = owners.get("/ingest/files?host=laptop").json()["items"]
    assert (known["path"], known["size"], known["generation"]) == (PATH, 900, 1)
    assert known["head"] == head(data, 900)
    assert owners.get("/ingest/files?host=other").json() == {"items": [], "next": None}
    assert owners.get("/ingest/files?host=laptop&source=codex").json()["items"] == []


def test_what_does_not_go_on_is_told_where_to(owners: Program) -> None:
    data = TALK.data()
    gap = push(owners, data[900:], offset=900, head=head(data, 900))
    assert code_of(gap, 409) == "offset_conflict"
    assert gap.json()["error"]["details"] == {"size": 0, "generation": 1}
    push(owners, data[:500])
    gap = push(owners, data[900:], offset=900, head=head(data, 900))
    assert gap.json()["error"]["details"] == {"size": 500, "generation": 1}
    wrong = push(owners, data[500:], offset=500, head=head(b"x" * 500, 500))
    assert code_of(wrong, 409) == "file_changed"
    assert code_of(push(owners, data[500:], offset=500), 409) == "file_changed"
    assert PushedFile.objects.get().size == 500


def test_the_same_bytes_again_change_nothing(owners: Program) -> None:
    data = TALK.data()
    push(owners, data)
    before = all_rows()
    for start, end in ((0, len(data)), (0, 100), (300, 900)):
        again = push(owners, data[start:end], offset=start, head=head(data, start))
        assert (again.status_code, again.json()["size"]) == (200, len(data))
    after = all_rows()
    assert [name for name in before if before[name] != after[name]] in ([], ["PushedFile"])
    other = push(owners, b"y" * 100)
    assert code_of(other, 409) == "file_changed"


def test_an_overlap_goes_on_behind_it(owners: Program) -> None:
    data = TALK.data()
    push(owners, data[:900])
    assert push(owners, data[400:], offset=400, head=head(data, 400)).json()["size"] == len(data)
    assert len(texts()) == 6


def test_a_key_replays_the_answer(owners: Program) -> None:
    data = TALK.data()
    first = push(owners, data, {"Idempotency_Key": "k"})
    again = push(owners, data, {"Idempotency_Key": "k"})
    assert (again.content, again["Idempotency-Replayed"]) == (first.content, "true")
    other = push(owners, data + b"\n", {"Idempotency_Key": "k"})
    assert code_of(other, 409) == "idempotency_key_reused"
    assert PushedFile.objects.get().size == len(data)


def test_a_rewritten_file_is_the_next_generation(owners: Program) -> None:
    push(owners, TALK.data())
    shorter = TALK.data(2)
    told = push(owners, shorter, generation=2)
    assert (told.json()["size"], told.json()["generation"]) == (len(shorter), 2)
    assert len(texts()) == 2
    check_invariants()
    assert code_of(push(owners, TALK.data(), generation=1), 409) == "offset_conflict"
    file = RawFile.objects.get()
    assert raw_bytes(file) == shorter
    assert raw_bytes(file, file.generation - 1) == TALK.data()


def test_a_file_that_is_not_whole_waits_if_its_size_is_told(owners: Program) -> None:
    data = TALK.data()
    first = push(owners, data[:900], size=len(data)).json()
    assert (first["sessions"], first["messages"]) == ([], 0)
    rest = push(owners, data[900:], offset=900, head=head(data, 900), size=len(data)).json()
    assert rest["messages"] == 6
    assert len(rest["sessions"]) == 1


def test_small_files_find_their_session(owners: Program) -> None:
    parent = Talk("22222222").turns(1).calls("call-1")
    child = subagent(parent, "abc", "call-1")
    folder = "~/.claude/projects/-home-dev-shop"
    push(owners, parent.data(), path=f"{folder}/{parent.name}.jsonl")
    inside = f"{folder}/{parent.name}/subagents/{child.name}"
    push(owners, child.data(), path=f"{inside}.jsonl")
    facts = b'{"agentType": "explore", "toolUseId": "call-1"}'
    told = push(owners, facts, path=f"{inside}.meta.json")
    assert len(told.json()["sessions"]) == 1
    [link] = AgentSession.objects.get(kind="subagent").parent_links.all()
    assert link.call_id == "call-1"
    check_invariants()


@pytest.mark.parametrize("source", ["codex", "gemini", "qwen", "kimi", "opencode", "sessions-dir"])
def test_every_agent_can_be_sent(owners: Program, teammate: User, source: str) -> None:
    homes = [path for path in (SAMPLES / source).glob("*/home") if path.is_dir()]
    assert homes
    for home in homes:
        host = home.parent.name
        ingest(Wish(owner=teammate, home=home, jobs=0, host=host, sources={source}))
        for path in sorted(home.rglob("*")):
            if path.is_file():
                place = f"~/{path.relative_to(home).as_posix()}"
                told = push(owners, path.read_bytes(), source=source, host=host, path=place)
                assert told.status_code == 200, told.content
    check_invariants()
    here, sent = (
        sorted(
            AgentSession.objects.filter(owner=person).values_list(
                "identity", "message_count", "tool_calls", "total_tokens", "host"
            )
        )
        for person in (teammate, owners.user)
    )
    assert sent == here
    assert not RawFile.objects.filter(collector=owners.user, path__contains="spool").exists()
    assert not IngestProblem.objects.filter(collector=owners.user, path__contains="spool").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"path": "../../etc/passwd"}, {"path": "/etc/../x"}, {"path": "~/../x"}, {"path": "a\0b"},
        {"path": "a\\b"}, {"path": "~"}, {"path": "~/~/x"}, {"path": "x/" * 60 + "y"},
        {"path": "x" * 300}, {"path": "x" * 5000}, {"path": "//x"}, {"path": "a\nb"},
        {"source": "nobody"}, {"source": "../x"}, {"host": ""}, {"host": "x" * 300},
        {"host": "a\nb"}, {"offset": -1}, {"offset": 2**63}, {"generation": 0},
        {"generation": 2**64}, {"head": "zz"}, {"size": -1}, {"offset": "1e3"},
    ],
)  # fmt: skip
def test_a_place_that_cannot_be_is_refused(
    owners: Program, tmp_path: Path, change: dict[str, Any]
) -> None:
    assert code_of(push(owners, b"x", **change), 400)
    assert not PushedFile.objects.exists()
    assert not (tmp_path / "spool").exists()


def test_nothing_of_the_server_is_read(owners: Program, tmp_path: Path) -> None:
    """An absolute path names a file over there; what lies here under that name is not opened."""
    secret = tmp_path / "secret.jsonl"
    secret.write_bytes(Talk("99999999").turns(5).data())
    told = push(owners, b"", path=str(secret), source="claude-code")
    assert (told.status_code, told.json()["size"]) == (200, 0)
    assert not AgentSession.objects.exists()


def test_a_packed_body_is_counted_inflated(
    owners: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = TALK.data()
    packed = {"Content_Encoding": "gzip"}
    assert push(owners, gzip.compress(data), packed).json()["size"] == len(data)
    monkeypatch.setattr("sessions_app.api.ingest_files.MOST_BYTES", 100)
    assert code_of(push(owners, gzip.compress(data), packed, path="~/b"), 413) == "too_large"


def test_a_rule_keeps_private_work_out(owners: Program, owner: User) -> None:
    ExcludeRule.objects.create(pattern="~/.claude/projects/-home-dev-*", created_at=NOON)
    assert code_of(push(owners, TALK.data()), 409) == "excluded"
    assert not PushedFile.objects.exists()


def test_three_people(owner: User, owners: Program, teammates: Program, strangers: Program) -> None:
    push(owners, TALK.data())
    assert teammates.get("/ingest/files?host=laptop").json()["items"] == []
    mine = push(strangers, TALK.data()).json()
    assert mine["size"] == len(TALK.data())
    assert AgentSession.objects.count() == 2
    project = make_project()
    program = program_of(owner, project=project)
    program.put("/ingest/files?" + urlencode({
        "source": "claude-code", "host": "ci", "path": PATH.replace("1111", "3333"),
    }), Talk("33333333").turns(1).data())  # fmt: skip
    assert AgentSession.objects.get(host="ci").project == project
    reader = program_of(owner, scopes=["read"])
    assert push(reader, b"x").status_code == 403


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_whatever_fails_a_sender_goes_on(owner: User, owners: Program) -> None:
    data = TALK.data()
    place = place_of(owner.pk, source="claude-code", host="laptop", path=PATH)

    def act() -> None:
        for start in (0, 900):
            end = 900 if start == 0 else len(data)
            push_file(
                Push(place, 1, start, head(data, start)), BytesIO(data[start:end]),
                by=owner, now=NOON,
            )  # fmt: skip

    assert fail_everywhere(act, check_invariants) > 30
    assert len(texts()) == 6
    assert raw_bytes(RawFile.objects.get()) == data
