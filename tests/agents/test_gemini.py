"""Gemini CLI: what its records say, and what a later one takes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sessions_app.agents.base import SourceFile, UnreadableSession
from sessions_app.agents.gemini import Gemini
from sessions_app.records import CALL, IMAGE, THINKING, Position, SessionFacts, SessionRecord
from tests.agents.fold import fold, summary
from tests.agents.google import (
    SESSION,
    Lines,
    answered,
    called,
    checkpoint,
    gemini,
    keys,
    meta,
    read,
    texts,
    tokens,
    user,
    write,
)

AGENT = Gemini()
HELLO = user("u1", "Hello")
HI = gemini(
    "g1", "Hi!", tokens=tokens(100, 40, 7, 3), thoughts=[{"subject": "A", "description": "b"}]
)
MORE = user("u2", [{"text": "Go on"}], 5)
DONE = gemini("g2", "Done.", 6, tokens=tokens(10, 0, 1))


def one(tmp_path: Path, *lines: dict[str, Any]) -> SessionRecord:
    return read(AGENT, tmp_path / "log.jsonl", meta(), *lines)


def continued(tmp_path: Path, before: Lines, after: Lines) -> tuple[SessionRecord, bool]:
    """The session after two readings, and whether the second one began anew."""
    path = write(tmp_path / "log.jsonl", meta(), *before)
    source = SourceFile(path, root=tmp_path)
    parts = list(AGENT.read(source, None))
    write(path, meta(), *before, *after)
    again = SourceFile(path, root=tmp_path)
    second = list(AGENT.read(again, source.end))
    [record] = fold(second if again.replaces else parts + second).values()
    return record, again.replaces


def test_a_question_and_its_answer(tmp_path: Path) -> None:
    record = one(tmp_path, HELLO, HI)
    assert texts(record) == ["Hello", "**A** bHi!"]
    assert [message.kind for message in record.messages] == ["prompt", "answer"]
    assert record.messages[1].blocks[0].kind == THINKING
    assert (record.prompt, record.model, record.turn) == ("Hello", "gemini-test", "ended")
    assert (record.identity, record.backend_session_id) == (SESSION, SESSION)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (tokens(100, 40, 7, 3), (60, 40, 10, 3, False)),
        (tokens(100, 40, 7, 3, 20), (80, 40, 10, 3, False)),
        (tokens(10, 40, 7, 0), (0, 40, 7, 0, True)),
        (tokens(-1, 0, 7, 0), (0, 0, 7, 0, True)),
        (tokens("many", None, 2**70, 1.5), (0, 0, 1, 1, True)),
    ],
)
def test_tokens_take_the_normal_form(
    tmp_path: Path, told: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    [usage] = one(tmp_path, HELLO, gemini("g", "x", tokens=told)).usages
    numbers = (usage.input, usage.cache_read, usage.output, usage.reasoning, usage.flagged)
    assert numbers == expected


def test_ids_that_are_none_stay_within_their_session(tmp_path: Path) -> None:
    name = "4116f366-66c1-47bc-89bb-5968e2a5f1e6"
    record = one(tmp_path, user("ctx", "Hello"), gemini(name, "Hi", tokens=tokens(1)))
    assert [message.key for message in record.messages] == [f"{SESSION}/user:ctx", f"gemini:{name}"]
    assert record.usages[0].key == record.usages[0].message_key == f"gemini:{name}"
    assert one(tmp_path, HELLO, HI).usages[0].message_key == f"{SESSION}/gemini:g1"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("Hello", "prompt"),
        ([{"text": "Hello"}], "prompt"),
        ({"text": "Hello"}, "prompt"),
        ("<session_context>\nToday", "injected"),
        ("<hook_context>x", "injected"),
        ("/stats", "command"),
        ("?", "command"),
        ([{"text": "see"}, answered("c", "x")], "injected"),
    ],
)
def test_who_speaks_in_a_users_record(tmp_path: Path, content: Any, kind: str) -> None:
    record = one(tmp_path, user("u", content), HI)
    assert record.messages[0].kind == kind


def test_the_prompt_is_what_was_typed(tmp_path: Path) -> None:
    long = user(
        "u", [{"text": "Explain @a.py"}, {"text": "print(1)"}], displayContent="Explain @a.py"
    )
    assert one(tmp_path, long).prompt == "Explain @a.py"


def test_the_last_record_of_a_message_wins(tmp_path: Path) -> None:
    grown = {**HI, "toolCalls": [called("c1", "one")]}
    lines = [HELLO, HI, grown, user("r", [answered("c1", "one")])]
    record = one(tmp_path, *lines)
    assert keys(record) == ["user:u1", "gemini:g1"]
    assert [block.call_id for block in record.messages[1].blocks if block.kind == CALL] == ["c1"]
    assert (summary(record)["tokens"]["input"], len(record.usages)) == (60, 1)
    for cut in range(1, len(lines)):
        assert continued(tmp_path, lines[:cut], lines[cut:]) == (record, False)


@pytest.mark.parametrize(
    ("call", "text", "is_error"),
    [
        (called("c", "fine"), "fine", False),
        (called("c", {"error": "no such file"}), "no such file", True),
        (called("c", "half", status="cancelled"), "half", True),
        (called("c", {"rows": 2}), '{\n  "rows": 2\n}', False),
        (called("c"), "", False),
        (called("c", status="error"), "", True),
    ],
)
def test_a_call_has_its_result(tmp_path: Path, call: Any, text: str, is_error: bool) -> None:
    [result] = one(tmp_path, HELLO, {**HI, "toolCalls": [call]}).results
    assert (result.text, result.is_error) == (text, is_error)


def test_a_call_that_still_runs_has_none(tmp_path: Path) -> None:
    record = one(tmp_path, HELLO, {**HI, "toolCalls": [called("c", status="executing")]})
    assert (record.results, record.turn) == ([], "open")


def test_a_call_without_id_is_paired_and_a_subagent_named(tmp_path: Path) -> None:
    call = called("", "done", agentId="agent-1")
    record = one(tmp_path, HELLO, {**HI, "toolCalls": [call]})
    [result] = record.results
    assert result.call_id == record.messages[1].blocks[-1].call_id != ""
    assert result.metadata == {"agent_id": "agent-1"}


def test_images_are_decoded(tmp_path: Path) -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    broken = {"inlineData": {"mimeType": "image/png", "data": "A"}}
    record = one(tmp_path, user("u", [image, broken]), user("r", [answered("c", "x"), image]))
    assert [block.kind for block in record.messages[0].blocks] == [IMAGE, "text"]
    assert record.results[0].images[0].data == b"\0\0\0"


@pytest.mark.parametrize(
    ("last", "turn"),
    [
        (user("u9", "and?"), "open"),
        (user("r9", [answered("c", "x")]), "open"),
        (gemini("g9", ""), "open"),
        (gemini("g9", "x", toolCalls=[called("c", "x")]), "open"),
        (gemini("g9", "x"), "ended"),
        ({"id": "e", "type": "error", "content": "quota"}, "failed"),
        ({"id": "i", "type": "info", "content": "Request cancelled."}, "aborted"),
        ({"id": "i", "type": "info", "content": "Update available"}, "ended"),
    ],
)
def test_the_last_record_tells_how_the_turn_stands(
    tmp_path: Path, last: dict[str, Any], turn: str
) -> None:
    record = one(tmp_path, HELLO, HI, last)
    assert record.turn == turn
    assert record.error == ("quota" if turn == "failed" else "")


def test_a_checkpoint_keeps_what_its_records_lost(tmp_path: Path) -> None:
    grown = {**HI, "toolCalls": [called("c1", "one")]}
    poor = gemini("g1", [{"text": "**A** b", "thought": True}, {"text": "Hi!"}], 9)
    both = user("g1", [answered("c1", "[masked]")], 9)
    lines = [HELLO, grown, checkpoint(), checkpoint(user("u1", "Hello", 9), poor, both), MORE]
    record = one(tmp_path, *lines)
    assert texts(record) == ["Hello", '**A** bHi!{"command": "ls"}', "Go on"]
    assert record.messages[1].at == one(tmp_path, HELLO, HI).messages[1].at
    assert record.results[0].text == "one"
    assert summary(record)["tokens"]["input"] == 60
    for cut in range(1, len(lines)):
        assert continued(tmp_path, lines[:cut], lines[cut:])[0] == record


def test_a_checkpoint_with_other_words_shows_them(tmp_path: Path) -> None:
    summed = checkpoint(user("u1", "In short: a greeting"), user("s1", "summary"))
    record = one(tmp_path, HELLO, HI, summed)
    assert texts(record) == ["In short: a greeting", "summary"]
    assert len(record.usages) == 1


@pytest.mark.parametrize(
    ("target", "left"),
    [("u2", ["user:u1", "gemini:g1"]), ("g1", ["user:u1"]), ("u1", []), ("unknown", [])],
)
def test_a_rewind_drops_messages_but_no_tokens(
    tmp_path: Path, target: str, left: list[str]
) -> None:
    before, after = [HELLO, HI, MORE, DONE], [{"$rewindTo": target}, user("u3", "Anew", 9)]
    record, is_anew = continued(tmp_path, before, after)
    assert is_anew
    assert keys(record) == [*left, "user:u3"]
    assert summary(record)["tokens"] == summary(one(tmp_path, *before))["tokens"]
    assert record.prompt == "Hello"


@pytest.mark.parametrize("last", [{"$rewindTo": "u1"}, checkpoint(user("c", "<session_context>"))])
def test_a_view_without_a_word_leaves_what_was_said(tmp_path: Path, last: dict[str, Any]) -> None:
    record, _ = continued(tmp_path, [HELLO, HI], [last])
    assert record == one(tmp_path, HELLO, HI, last)
    assert keys(record)[:2] == ["user:u1", "gemini:g1"]
    again, is_anew = continued(tmp_path, [HELLO, HI, last], [MORE])
    assert is_anew
    assert again == one(tmp_path, HELLO, HI, last, MORE)
    assert keys(again)[-1] == "user:u2"
    assert "user:u1" not in keys(again)


def test_another_text_of_a_known_message_replaces_it(tmp_path: Path) -> None:
    changed = {**HI, "content": "Hi there!"}
    record, is_anew = continued(tmp_path, [HELLO, HI, MORE], [changed])
    assert (texts(record)[1], is_anew) == ("**A** bHi there!", True)


def test_the_summary_is_the_title(tmp_path: Path) -> None:
    record = one(
        tmp_path, HELLO, HI, {"$set": {"summary": "A greeting", "lastUpdated": "2026-03-02"}}
    )
    assert record.title == "A greeting"
    assert record.last_active is not None
    assert record.last_active.day == 2


def test_bad_lines_cost_nothing_else(tmp_path: Path) -> None:
    odd = b'{"id":"g1","type":"gemini","content":5,"tokens":[],"thoughts":"x","model":"m"}'
    path = write(tmp_path / "log.jsonl", meta(), HELLO, b"not json", b"[]", odd, b"", MORE)
    [record] = fold(AGENT.read(SourceFile(path, root=tmp_path), None)).values()
    assert keys(record) == ["user:u1", "gemini:g1", "user:u2"]
    assert [problem.line for problem in record.problems] == [3, 4, 5]


def test_a_document_is_read_as_a_whole(tmp_path: Path) -> None:
    document = {**meta(), "messages": [HELLO, HI], "summary": "A greeting"}
    path = write(tmp_path / "doc.json", document)
    source = SourceFile(path, root=tmp_path)
    [record] = fold(AGENT.read(source, None)).values()
    assert (texts(record), record.title) == (["Hello", "**A** bHi!"], "A greeting")
    assert source.end.offset == 0


@pytest.mark.parametrize("data", [b"[]", b"{", b"null", b'{"messages":5}', b'{"history":[]}'])
def test_a_document_that_is_none_is_unreadable(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path / "doc.json", data)
    with pytest.raises(UnreadableSession):
        list(AGENT.read(SourceFile(path, root=tmp_path), None))


def test_a_session_without_a_word_is_none_yet(tmp_path: Path) -> None:
    path = write(tmp_path / "log.jsonl", meta(), user("c", "<session_context>x"))
    source = SourceFile(path, root=tmp_path)
    assert list(AGENT.read(source, None)) == []
    assert source.end == Position()


def test_a_long_log_comes_in_parts_that_begin_again_when_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions_app.agents.gemini.PART_SIZE", 10)
    path = write(tmp_path / "log.jsonl", meta(), HELLO, HI, MORE, DONE)
    source = SourceFile(path, root=tmp_path)
    ends = [(part, source.end.offset) for part in AGENT.read(source, None)]
    size = path.stat().st_size
    assert [end for _, end in ends] == [0] * (len(ends) - 1) + [size]
    assert len(ends) > 2
    monkeypatch.undo()
    assert fold(part for part, _ in ends) == fold(AGENT.read(source, None))


@pytest.mark.parametrize(
    ("session", "kind", "prompt", "command"),
    [
        (SESSION, "main", None, f"cd '/my shop' && gemini --resume {SESSION}"),
        ("u;1", "main", "go on", "cd '/my shop' && gemini --resume 'u;1' 'go on'"),
        (SESSION, "subagent", None, None),
        ("--help", "main", None, None),
        ("", "main", None, None),
    ],
)
def test_a_session_goes_on(session: str, kind: str, prompt: str | None, command: str) -> None:
    facts = SessionFacts("gemini", session, work_dir="/my shop", kind=kind)
    assert AGENT.resume_command(facts, prompt) == command


def test_numbers_and_depth_of_hostile_lines(tmp_path: Path) -> None:
    deep = b'{"id":"x","type":"user","content":' + b"[" * 5000 + b"]" * 5000 + b"}"
    huge = json.dumps(gemini("g9", "x", tokens={"input": 10**400, "output": 1})).encode()
    path = write(tmp_path / "log.jsonl", meta(), HELLO, deep, huge)
    [record] = fold(AGENT.read(SourceFile(path, root=tmp_path), None)).values()
    assert (record.usages[0].input, record.usages[0].output) == (0, 1)
    assert record.usages[0].flagged
