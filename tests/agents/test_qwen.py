"""Qwen Code: what its lines say, and which files are its chats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sessions_app.agents.claude_code import ClaudeCode
from sessions_app.agents.qwen import Qwen
from sessions_app.records import SessionFacts, SessionRecord
from tests.agents.fold import fold, summary
from tests.agents.google import SESSION, answered, chat, noted, read, texts, write

AGENT = Qwen()
HELLO = chat("u1", "user", {"text": "Hello"})
API_ERROR = {"event.name": "qwen-code.api_error", "error_message": "400"}
CALL = {"functionCall": {"id": "c1", "name": "shell", "args": {"command": "ls"}}}
ANSWER = chat("a1", "assistant", {"text": "hm", "thought": True}, {"text": "Hi!"}, model="q-1")


def one(tmp_path: Path, *lines: dict[str, Any] | bytes) -> SessionRecord:
    return read(AGENT, tmp_path / "chat.jsonl", *lines)


def test_a_question_and_its_answer(tmp_path: Path) -> None:
    record = one(tmp_path, HELLO, ANSWER)
    assert [(m.role, m.kind) for m in record.messages] == [
        ("user", "prompt"),
        ("assistant", "answer"),
    ]
    assert (texts(record), record.prompt) == (["Hello", "hmHi!"], "Hello")
    assert (record.identity, record.work_dir, record.model) == (SESSION, "/shop", "q-1")


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((100, 40, 30, 10, 130), (60, 40, 30, 10, False)),  # thoughts are among the candidates
        ((100, 40, 30, 10, 140), (60, 40, 40, 10, False)),  # thoughts stand beside them
        ((12, None, 4, None, None), (12, 0, 4, 0, False)),
        ((10, 40, 5, 9, 15), (0, 40, 5, 5, True)),
        (("x", -1, 2**80, 0, 0), (0, 0, 0, 0, True)),
    ],
)
def test_tokens_take_the_normal_form(
    tmp_path: Path, numbers: tuple[Any, ...], expected: tuple[Any, ...]
) -> None:
    names = ("promptTokenCount", "cachedContentTokenCount", "candidatesTokenCount",
             "thoughtsTokenCount", "totalTokenCount")  # fmt: skip
    line = {**ANSWER, "usageMetadata": dict(zip(names, numbers, strict=True))}
    [usage] = one(tmp_path, HELLO, line).usages
    assert (usage.input, usage.cache_read, usage.output, usage.reasoning, usage.flagged) == expected
    assert usage.model == "q-1"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (chat("x", "user", {"text": "y"}, subtype="notification"), "injected"),
        (chat("x", "user", {"text": "y"}, subtype="cron"), "injected"),
        (chat("x", "user", {"text": "y"}, provenance="goal_runtime"), "injected"),
        (chat("x", "user", {"text": "y"}, isSidechain=True), "injected"),
        (chat("x", "user", {"text": "y"}, subtype="mid_turn_user_message"), "prompt"),
        (chat("x", "user", {"text": "y"}, provenance="real_user"), "prompt"),
        (noted("slash_command", phase="invocation", rawCommand="/about"), "command"),
        (noted("chat_compression", compressedHistory=[{"parts": [{"text": "s"}]}]), "compaction"),
    ],
)
def test_who_speaks(tmp_path: Path, line: dict[str, Any], kind: str) -> None:
    record = one(tmp_path, HELLO, ANSWER, line)
    assert record.messages[-1].kind == kind
    assert record.turn == ("open" if kind == "prompt" else "ended")


@pytest.mark.parametrize("name", ["attribution_snapshot", "rewind", "goal_state", "news"])
def test_what_else_the_program_notes_is_no_message(tmp_path: Path, name: str) -> None:
    odd = noted(name, state={"x": 1}, error="x", info=5)
    assert one(tmp_path, HELLO, ANSWER, odd).messages == one(tmp_path, HELLO, ANSWER).messages


def test_a_hooks_context_is_not_the_persons_word(tmp_path: Path) -> None:
    context = {"text": "<qwen:user-prompt-submit-context>\nx"}
    line = chat("u1", "user", {"text": "Hello"}, context, systemPayload={"displayText": "Hello!"})
    record = one(tmp_path, line)
    assert [message.kind for message in record.messages] == ["injected", "prompt"]
    assert (texts(record)[1], record.prompt) == ("Hello", "Hello!")


@pytest.mark.parametrize(
    ("output", "status", "expected"),
    [
        ("fine\nExit Code: 0\n", "success", (False, 0)),
        ("ls: no\nExit Code: 2", "success", (False, 2)),
        ({"error": "no such file"}, "error", (True, None)),
        ("half", "cancelled", (True, None)),
    ],
)
def test_a_call_has_its_result(
    tmp_path: Path, output: Any, status: str, expected: tuple[bool, int | None]
) -> None:
    ended = {"callId": "c1", "status": status}
    line = chat("t1", "tool_result", answered("c1", output), toolCallResult=ended)
    record = one(tmp_path, HELLO, chat("a1", "assistant", CALL), line)
    [result] = record.results
    assert (result.is_error, result.exit_code) == expected
    assert (summary(record)["unresolved_calls"], record.turn) == (0, "open")


@pytest.mark.parametrize(
    ("line", "turn", "error"),
    [
        (noted("ui_telemetry", uiEvent=API_ERROR), "failed", "400"),
        (noted("ui_telemetry", uiEvent={**API_ERROR, "subagent_name": "memory"}), "ended", ""),
        (noted("turn_result", state="error", error={"message": "no"}), "failed", "no"),
        (noted("turn_result", state="cancelled"), "aborted", ""),
        (noted("turn_result", state="completed"), "ended", ""),
        (chat("a2", "assistant", CALL), "open", ""),
    ],
)
def test_how_the_turn_stands(tmp_path: Path, line: dict[str, Any], turn: str, error: str) -> None:
    record = one(tmp_path, HELLO, ANSWER, line)
    assert (record.turn, record.error) == (turn, error)


def test_telemetry_repeats_tokens_that_are_not_counted_again(tmp_path: Path) -> None:
    event = {"event.name": "qwen-code.api_response", "input_token_count": 5}
    assert one(tmp_path, HELLO, ANSWER, noted("ui_telemetry", uiEvent=event)).usages == []


def test_the_last_title_and_model_win(tmp_path: Path) -> None:
    lines = [noted("custom_title", customTitle=name, titleSource="auto") for name in ("One", "Two")]
    record = one(tmp_path, HELLO, ANSWER, *lines, noted("session_model", modelId="q-2"))
    assert (record.title, record.model) == ("Two", "q-2")


def test_a_branch_names_where_it_comes_from_and_shares_its_tokens(tmp_path: Path) -> None:
    uuid = "019f0000-0000-7000-8000-000000000042"
    line = chat(uuid, "assistant", {"text": "x"}, usageMetadata={"promptTokenCount": 5})
    copy = {**line, "sessionId": "other", "forkedFrom": {"sessionId": SESSION, "messageUuid": uuid}}
    parent, child = one(tmp_path, HELLO, line), one(tmp_path / "b", copy)
    assert summary(child)["relations"] == [["fork", SESSION, ""]]
    assert parent.usages[0].key == child.usages[0].key == uuid


def test_a_spawned_session_hangs_on_its_parent(tmp_path: Path) -> None:
    record = one(tmp_path, HELLO, noted("parent_session", parentSessionId="p"))
    assert summary(record)["relations"] == [["subagent", "p", ""]]


def test_two_lines_that_a_kill_glued_together_are_two(tmp_path: Path) -> None:
    path = write(tmp_path / "one.jsonl", HELLO)
    quoted = chat("a1", "assistant", {"text": '{"a": {"uuid": 1}}{"uuid":"x"}'})
    glued = path.read_bytes().strip() + write(tmp_path / "two.jsonl", quoted).read_bytes().strip()
    glued = glued.replace(b'"uuid": ', b'"uuid":')
    record = one(tmp_path, glued)
    assert texts(record) == ["Hello", '{"a": {"uuid": 1}}{"uuid":"x"}']


def test_a_subagent_is_named_within_its_session(tmp_path: Path) -> None:
    project = tmp_path / ".qwen" / "projects" / "-shop"
    write(project / "chats" / f"{SESSION}.jsonl", HELLO, ANSWER)
    write(project / "subagents" / SESSION / "agent-x.jsonl", HELLO, ANSWER)
    write(project / "chats" / "notes.json", b"{}")
    write(tmp_path / ".qwen" / "oauth_creds.jsonl", HELLO)
    found = list(AGENT.session_files(tmp_path))
    assert [source.path.stem for source in found] == [SESSION, "agent-x"]
    child = fold(AGENT.read(found[1], None))[f"{SESSION}/agent-x"]
    assert (child.kind, summary(child)["relations"]) == ("subagent", [["subagent", SESSION, ""]])
    assert [message.kind for message in child.messages] == ["injected", "answer"]


@pytest.mark.parametrize("name", ["QWEN_RUNTIME_DIR", "QWEN_HOME"])
def test_the_environment_moves_our_own_home_only(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "projects" / "-shop" / "chats" / "x.jsonl", noted("custom_title"))
    monkeypatch.setenv(name, str(tmp_path))
    assert AGENT.homes(Path.home()) == [tmp_path / "projects"]
    assert AGENT.homes(tmp_path / "other") == [tmp_path / "other" / ".qwen" / "projects"]
    assert len(list(AGENT.session_files(tmp_path / "projects"))) == 1


def test_qwen_and_claude_leave_each_other_alone(tmp_path: Path) -> None:
    ours = write(tmp_path / "qwen.jsonl", noted("attribution_snapshot"), HELLO)
    claude = {"type": "user", "uuid": "u", "sessionId": "s", "message": {"content": "x"}}
    theirs = write(tmp_path / "claude.jsonl", claude)
    write(tmp_path / "other.jsonl", b"[", b"{}", {"type": "user", "message": 5})
    assert [source.path for source in AGENT.session_files(tmp_path)] == [ours]
    assert [source.path for source in ClaudeCode().session_files(tmp_path)] == [theirs]
    assert [source.path for source in AGENT.session_files(ours)] == [ours]


@pytest.mark.parametrize(
    ("session", "kind", "command"),
    [
        (SESSION, "main", f"cd '/my shop' && qwen --resume {SESSION} 'go on'"),
        (SESSION, "subagent", None),
        ("-x", "main", None),
    ],
)
def test_a_session_goes_on(session: str, kind: str, command: str | None) -> None:
    facts = SessionFacts("qwen", session, work_dir="/my shop", kind=kind)
    assert AGENT.resume_command(facts, "go on") == command
