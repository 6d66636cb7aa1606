"""clinvk's records: both dialects, odd values, and what is not taken for one.  # C3"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sessions_app.agents.base import SourceFile, UnreadableSession
from sessions_app.agents.clinvk import Clinvk
from sessions_app.records import Position, RelationRecord, SessionFacts, SessionRecord

AGENT = Clinvk()
STORE = Path(__file__).parent / "samples" / "clinvk" / "store" / "home" / ".clinvk" / "sessions"
SMALL = {"id": "abc123", "backend": "claude", "last_used_at": "2026-01-27T11:30:00Z"}


def read_document(tmp_path: Path, document: Any) -> list[SessionRecord]:
    path = tmp_path / "some-name.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), "utf-8")
    return list(AGENT.read(SourceFile(path, root=tmp_path), None))


def read_one(tmp_path: Path, **fields: Any) -> SessionRecord:
    [record] = read_document(tmp_path, SMALL | fields)
    return record


def names(root: Path) -> list[str]:
    return [source.path.name for source in AGENT.session_files(root)]


def test_index_locks_leftovers_and_artifacts_are_left_alone() -> None:
    found = names(STORE)
    assert len(found) == 10
    assert not {"index.json", "store.lock", ".tmp-123456"} & set(found)


def test_every_folder_above_leads_to_the_same_files(tmp_path: Path) -> None:
    home = STORE.parent.parent
    assert AGENT.homes(home) == [STORE]
    for root in (home, home / ".clinvk", home.parent):
        assert names(root) == names(STORE)
    assert names(STORE / "abc123def.json") == ["abc123def.json"]
    assert names(STORE / "index.json") == []


def test_elsewhere_only_what_looks_like_a_record_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"name": "package", "backend": "webpack"}')
    (tmp_path / "0123456789abcdef.json").write_text('{"id": "0123')
    assert names(tmp_path) == []
    (tmp_path / "mine.json").write_text(json.dumps(SMALL))
    assert names(tmp_path) == ["0123456789abcdef.json", "mine.json"]
    assert names(tmp_path / "a.json") == []


def test_artifacts_of_a_session_are_no_records(tmp_path: Path) -> None:
    folder = tmp_path / ".clinvk" / "sessions"
    (folder / "abc123").mkdir(parents=True)
    (folder / "abc123.json").write_text(json.dumps(SMALL))
    (folder / "abc123" / "output.json").write_text(json.dumps(SMALL))
    (folder / "linked.json").symlink_to(folder / "abc123.json")
    assert names(tmp_path) == ["abc123.json"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ('{"id": "000000', "Not a JSON document"),
        ("[" * 100_000, "Not a JSON document"),
        ("[]", "no JSON object"),
        ("null", "no JSON object"),
        ('"text"', "no JSON object"),
        ("{}", "neither id nor backend"),
        ('[{"id": "a"}, 3]', "no JSON object"),
    ],
)
def test_what_is_no_record_is_refused_with_a_sentence(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(UnreadableSession, match=reason):
        read_document(tmp_path, text)


def test_a_record_only_joins_and_is_always_read_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(SMALL | {"title": "Fix\ud83d it"}).encode())
    source = SourceFile(path, root=tmp_path)
    [first] = AGENT.read(source, None)
    [again] = AGENT.read(source, Position(offset=10, line=1, version=1))
    assert first == again
    assert source.end == Position(version=AGENT.version)
    assert (first.joins, first.alias, first.title) == (True, "clinvk:abc123", "Fix\ufffd it")
    assert first.last_active == datetime(2026, 1, 27, 11, 30, tzinfo=UTC)


def test_the_backends_own_id_is_the_identity_when_it_is_known(tmp_path: Path) -> None:
    assert read_one(tmp_path).identity == "clinvk:abc123"
    known = read_one(tmp_path, backend="Codex", backend_session_id="t-1")
    assert (known.identity, known.backend, known.backend_session_id) == ("t-1", "codex", "t-1")


def test_missing_id_and_backend_are_filled_in(tmp_path: Path) -> None:
    [record] = read_document(tmp_path, {"backend": "gemini"})
    assert record.identity == "clinvk:some-name"
    [record] = read_document(tmp_path, {"id": "a1"})
    assert record.backend == "clinvk"


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ({"input_tokens": 5, "output_tokens": 7, "reasoning_tokens": 3}, (5, 7, 3, False)),
        ({"input": 5, "output": 7, "cached": 4, "total": 12}, (5, 7, 0, False)),
        ({"input_tokens": -5, "output_tokens": 7}, (0, 7, 0, True)),
        ({"input_tokens": 10**30, "output_tokens": "7"}, (0, 0, 0, True)),
        ({"input_tokens": 1, "output_tokens": 2, "reasoning_tokens": 9}, (1, 2, 2, False)),
    ],
)
def test_tokens_are_a_summary_without_the_cached_ones(
    tmp_path: Path, tokens: dict[str, Any], expected: tuple[int, int, int, bool]
) -> None:
    [usage] = read_one(tmp_path, token_usage=tokens).usages
    assert (usage.input, usage.output, usage.reasoning, usage.flagged) == expected
    assert (usage.key, usage.summary, usage.cache_read) == ("clinvk:abc123", True, 0)


def test_without_tokens_there_is_no_usage(tmp_path: Path) -> None:
    odd: tuple[Any, ...] = (None, {}, [], "many")
    for tokens in odd:
        assert read_one(tmp_path, token_usage=tokens).usages == []


def test_metadata_may_be_any_json(tmp_path: Path) -> None:
    record = read_one(
        tmp_path,
        metadata={"exit_code": "2", "duration_seconds": 2.5, "deep": {"a": [1, None]}, "n": 1e999},
        turn_count=3,
        parent_id="p1",
        token_usage={"input": 1, "cached": 500},
    )
    assert (record.exit_code, record.duration_seconds) == (2, 2.5)
    assert record.metadata == {
        "deep": {"a": [1, None]}, "n": "Infinity", "clinvk_id": "abc123", "turn_count": 3,
        "parent_id": "p1", "cached_tokens": 500,
    }  # fmt: skip
    for odd in ("text", ["exit_code"], {"exit_code": "killed", "duration_seconds": [1]}, None):
        record = read_one(tmp_path, metadata=odd)
        assert (record.exit_code, record.duration_seconds) == (None, None)


def test_a_parent_is_a_fork_and_nobody_is_their_own_parent(tmp_path: Path) -> None:
    fork = read_one(tmp_path, parent_id="p1")
    assert fork.relations == [RelationRecord("fork", "clinvk:p1")]
    assert read_one(tmp_path, parent_id="abc123").relations == []


@pytest.mark.parametrize(
    ("stated", "status", "kept"),
    [("expired", "expired", {}), ("Error", "error", {}), ("odd", "", {"stated_status": "odd"})],
)
def test_status_is_as_stated(
    tmp_path: Path, stated: str, status: str, kept: dict[str, str]
) -> None:
    record = read_one(tmp_path, status=stated)
    assert record.status == status
    assert record.metadata == {"clinvk_id": "abc123"} | kept


def test_times_with_nine_digits_and_an_offset_are_read(tmp_path: Path) -> None:
    record = read_one(tmp_path, created_at="2026-09-03T09:00:00.043046789+08:00", last_used="?")
    assert record.created_at == datetime(2026, 9, 3, 1, 0, 0, 43046, tzinfo=UTC)
    assert record.last_active == datetime(2026, 1, 27, 11, 30, tzinfo=UTC)  # the other dialect's


def test_fields_of_another_type_say_nothing(tmp_path: Path) -> None:
    record = read_one(
        tmp_path, title=3, tags="auth", model=["x"], initial_prompt={}, workdir=None, turn_count=""
    )
    assert (record.title, record.title_rank, record.tags, record.model) == ("", 0, [], "")
    assert (record.prompt, record.work_dir, record.metadata) == ("", "", {"clinvk_id": "abc123"})


def test_a_list_of_records_in_one_file_is_several_sessions(tmp_path: Path) -> None:
    records = read_document(tmp_path, [SMALL, SMALL | {"id": "def456", "prompt": "=2+2"}])
    assert [record.identity for record in records] == ["clinvk:abc123", "clinvk:def456"]
    assert records[1].prompt == "=2+2"


@pytest.mark.parametrize(
    ("backend", "native", "prompt", "command"),
    [
        ("claude", "u-1", None, "cd '/my app' && claude --resume u-1"),
        ("codex", "u-1", "go on", "cd '/my app' && codex resume u-1 'go on'"),
        ("gemini", "u;1", None, "cd '/my app' && gemini --resume 'u;1'"),
        ("kimi", "u-1", None, None),
        ("claude", "", None, None),
        ("claude", "--help", None, None),
        ("claude", "a\x1b[2J", None, None),
    ],
)
def test_a_session_goes_on_with_its_backends_own_command(
    backend: str, native: str, prompt: str | None, command: str | None
) -> None:
    facts = SessionFacts(backend, native, work_dir="/my app")
    assert AGENT.resume_command(facts, prompt) == command


def test_no_process_is_known_to_run() -> None:
    assert AGENT.live_sessions(STORE) == {}
