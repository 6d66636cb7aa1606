"""Kimi CLI: what its events say, where its files lie, and which of them are its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sessions_app.agents.base import SourceFile, UnreadableSession
from sessions_app.agents.kimi import Kimi
from sessions_app.agents.kimi_code import KimiCode
from sessions_app.agents.sessions_dir import SessionsDir
from sessions_app.records import CALL, IMAGE, Position, SessionFacts, SessionRecord
from tests.agents.fold import fold, summary, totals
from tests.agents.kimi import SESSION, event, read, status, write

AGENT = Kimi()
SAMPLES = Path(__file__).parent / "samples"
WORK_DIR = "5f4dcc3b5aa765d61d8327deb882cf99"
DOT = {"url": "data:image/png;base64,iVBORw=="}
TURN, STEP = event("TurnBegin", user_input="go"), event("StepBegin", n=1)


def session(tmp_path: Path, *lines: dict[str, Any]) -> SessionRecord:
    write(tmp_path / WORK_DIR / SESSION / "wire.jsonl", *lines)
    [record] = read(AGENT, tmp_path).values()
    return record


@pytest.mark.parametrize(
    ("said", "kind", "text"),
    [
        (event("TurnBegin", user_input="fix it"), "prompt", "fix it"),
        (event("TurnBegin", user_input=[{"type": "text", "text": "修复"}]), "prompt", "修复"),
        (event("SteerInput", user_input="no, stop"), "prompt", "no, stop"),
        (event("TurnBegin", user_input="/compact"), "command", "/compact"),
        (event("TurnBegin", user_input="/home/dev/a.py breaks"), "prompt", None),
        (event("TurnBegin", user_input="/skill:commit all"), "prompt", None),
        (event("TurnBegin", user_input="<system-reminder>x</system-reminder>"), "injected", None),
        (event("CompactionBegin"), "compaction", ""),
        (event("PlanDisplay", content="1. do", file_path="/p.md"), "note", "1. do"),
        (event("BtwBegin", id="b", question="why?"), "command", "why?"),
        (event("BtwEnd", id="b", response="so"), "note", "so"),
        (event("ContentPart", type="think", think="hm"), "answer", "hm"),
        (event("ContentPart", type="video_url", video_url=DOT), "answer", "[video_url]"),
        (event("ContentPart", type="text", text={"odd": 1}), "answer", '{"odd": 1}'),
    ],
)
def test_every_event_says_who_speaks(
    said: dict[str, Any], kind: str, text: str | None, tmp_path: Path
) -> None:
    message = session(tmp_path, TURN, said).messages[-1]
    assert message.kind == kind
    if text is not None:
        assert "\n".join(block.text for block in message.blocks) == text


def test_images_are_decoded_in_prompts_and_results(tmp_path: Path) -> None:
    picture = {"type": "image_url", "image_url": DOT}
    call = event("ToolCall", id="c", function={"name": "ReadMedia", "arguments": "{}"})
    answer = event("ToolResult", tool_call_id="c", return_value={"output": [picture]})
    found = session(tmp_path, event("TurnBegin", user_input=[picture]), STEP, call, answer)
    assert [block.kind for block in found.messages[0].blocks] == [IMAGE]
    assert found.results[0].images[0].data == b"\x89PNG"


@pytest.mark.parametrize(
    ("told", "text", "is_error", "code"),
    [
        ({"is_error": False, "output": "done", "message": "Fine."}, "done", False, None),
        ({"is_error": False, "output": "", "message": "Written."}, "Written.", False, None),
        (
            {"is_error": True, "output": "no", "message": "Command failed with exit code: 128."},
            "no\nCommand failed with exit code: 128.",
            True,
            128,
        ),
        ({"is_error": True, "output": "", "message": "Rejected"}, "Rejected", True, None),
        ("bare words", "bare words", False, None),
    ],
)
def test_a_result_says_what_the_tool_said(
    told: Any, text: str, is_error: bool, code: int | None, tmp_path: Path
) -> None:
    answer = event("ToolResult", tool_call_id="c", return_value=told)
    [result] = session(tmp_path, TURN, answer).results
    assert (result.text, result.is_error, result.exit_code) == (text, is_error, code)


def test_arguments_in_pieces_become_one_call_wherever_the_reading_stops(tmp_path: Path) -> None:
    lines = [
        TURN,
        STEP,
        event("ToolCall", id="c", function={"name": "Shell", "arguments": '{"comm'}),
        event("ToolCallPart", arguments_part='and": "l'),
        event("ToolCallPart", arguments_part='s"}'),
        status("chatcmpl-0123456789", 1, 2),
        event("ToolCallPart", arguments_part="nobody asked"),
    ]
    path = write(tmp_path / WORK_DIR / SESSION / "wire.jsonl", *lines)
    source = SourceFile(path, root=tmp_path)
    for cut in range(2, len(lines)):
        write(path, *lines[:cut])
        parts = list(AGENT.read(source, None))
        position = msgspec.msgpack.decode(msgspec.msgpack.encode(source.end), type=Position)
        write(path, *lines)
        parts += AGENT.read(source, position)
        blocks = [block for m in fold(parts)[SESSION].messages for block in m.blocks]
        assert [b.text for b in blocks if b.kind == CALL] == ['{"command": "ls"}'], cut


@pytest.mark.parametrize(
    ("after", "turn"),
    [
        ([], "open"),
        ([event("TurnEnd")], "ended"),
        ([event("StepInterrupted")], "failed"),
        ([event("StepInterrupted"), event("TurnEnd")], "failed"),
        ([event("TurnEnd"), event("TurnBegin", user_input="more")], "open"),
        ([event("StepInterrupted"), event("StepBegin", n=2), event("TurnEnd")], "ended"),
    ],
)
def test_the_last_turn_ends_as_the_wire_says(
    after: list[dict[str, Any]], turn: str, tmp_path: Path
) -> None:
    assert session(tmp_path, TURN, STEP, *after).turn == turn


def test_a_response_counts_once_in_every_copy_of_its_line(tmp_path: Path) -> None:
    lines = [TURN, STEP, status("chatcmpl-0123456789", 5, 6, 7, 8), status(None), status("", 1)]
    write(tmp_path / WORK_DIR / "one" / "wire.jsonl", *lines)
    write(tmp_path / WORK_DIR / "fork" / "wire.jsonl", *lines, lines[2])
    found = read(AGENT, tmp_path)
    tokens = {"input": 6, "output": 6, "cache_read": 7, "cache_write": 8}
    for told in (summary(found["one"]), summary(found["fork"]), totals(found.values())):
        assert {name: told["tokens"][name] for name in tokens} == tokens


def test_short_message_ids_of_two_sessions_are_two_responses(tmp_path: Path) -> None:
    for name in ("a", "b"):
        lines = [event("TurnBegin", user_input="x"), event("StepBegin", n=1), status("gen-1", 5)]
        write(tmp_path / WORK_DIR / name / "wire.jsonl", *lines)
    assert totals(read(AGENT, tmp_path).values())["tokens"]["input"] == 10


def test_impossible_counts_are_nothing_and_flagged(tmp_path: Path) -> None:
    [usage] = session(tmp_path, TURN, status("chatcmpl-0123456789", -1, 2**70, "x")).usages
    assert (usage.total, usage.flagged) == (0, True)


def nested(kind: str, payload: dict[str, Any], **more: Any) -> dict[str, Any]:
    return event("SubagentEvent", event={"type": kind, "payload": payload}, **more)


def test_sub_agents_tokens_count_in_their_own_wire_if_there_is_one(tmp_path: Path) -> None:
    told = status("chatcmpl-0123456789", 5)["message"]["payload"]
    new = nested("StatusUpdate", told, agent_id="a1", parent_tool_call_id="c")
    assert session(tmp_path, TURN, new).usages == []
    old = nested("StatusUpdate", told, task_tool_call_id="c")
    assert [usage.input for usage in session(tmp_path, TURN, old).usages] == [5]
    twice = nested("SubagentEvent", {"event": old["message"]["payload"]["event"]})
    assert [usage.input for usage in session(tmp_path, TURN, twice).usages] == [5]


def test_a_result_names_the_sub_agent_that_worked_for_it(tmp_path: Path) -> None:
    found = session(
        tmp_path,
        TURN,
        nested("TurnBegin", {}, agent_id="a1", parent_tool_call_id="c"),
        event("ToolResult", tool_call_id="c", return_value={"output": "3"}),
    )
    assert found.results[0].metadata == {"agent_id": "a1"}


@pytest.mark.parametrize(
    ("state", "title", "rank", "problems"),
    [
        ('{"custom_title": "Cart", "title_generated": true}', "Cart", 4, 0),
        ('{"custom_title": "Cart"}', "Cart", 3, 0),
        ('{"custom_title": "Please write a test that…"}', "Please write a test that…", 1, 0),
        ('{"custom_title": null}', "", 0, 0),
        ("[]", "", 0, 0),
        ("{", "", 0, 1),
        ("", "", 0, 1),
    ],
)
def test_a_title_is_worth_what_it_came_from(
    state: str, title: str, rank: int, problems: int, tmp_path: Path
) -> None:
    folder = tmp_path / WORK_DIR / SESSION
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(state)
    found = session(tmp_path, TURN)
    assert found.title == title
    assert found.title_rank == rank or not title
    assert len(found.problems) == problems


def test_bad_lines_cost_only_themselves(tmp_path: Path) -> None:
    path = write(tmp_path / WORK_DIR / SESSION / "wire.jsonl", TURN)
    with path.open("ab") as wire:
        wire.write(b'\xff\xfe\n[]\n{"message": "x", "timestamp": 1}\n{"timestamp": "NaN"}\n\n')
        wire.write(json.dumps(event("ContentPart", type="text", text="still")).encode() + b"\n")
        wire.write(b'{"timestamp": 1795253299.5, "message": {"type": "Turn')
    [found] = read(AGENT, tmp_path).values()
    assert [message.blocks[0].text for message in found.messages] == ["go", "still"]
    assert [problem.line for problem in found.problems] == [2, 3, 4]


def test_a_wire_without_any_turn_is_no_session_yet(tmp_path: Path) -> None:
    path = write(tmp_path / WORK_DIR / SESSION / "wire.jsonl", {"type": "metadata"})
    source = SourceFile(path, root=tmp_path)
    assert list(AGENT.read(source, None)) == []
    assert source.end.offset == 0
    path.write_bytes(b"rubbish\n")
    with pytest.raises(UnreadableSession, match="line 1"):
        list(AGENT.read(source, None))


def test_very_old_sessions_are_one_bare_file(tmp_path: Path) -> None:
    folder = tmp_path / ".kimi" / "sessions" / WORK_DIR
    write(folder / f"{SESSION}.jsonl", {"role": "user", "content": "hello"})
    write(folder / "notes.jsonl", {"role": "user", "content": "hello"})
    assert list(read(AGENT, tmp_path)) == [SESSION]


def test_the_layouts_that_share_names_are_told_apart(tmp_path: Path) -> None:
    others = [SAMPLES / name for name in ("sessions-dir", "kimi-code", "claude-code", "codex")]
    for root in others:
        assert list(AGENT.session_files(root)) == []
    for other in (SessionsDir(), KimiCode()):
        assert list(other.session_files(SAMPLES / "kimi")) == []
    # One root with both: the depth decides, also about a folder that has the files of both.
    home = tmp_path / ".kimi" / "sessions"
    write(home / "deadbeef" / "messages.jsonl", {"role": "user", "content": "x"})
    write(home / WORK_DIR / SESSION / "wire.jsonl", TURN)
    (home / WORK_DIR / SESSION / "metadata.json").write_text('{"id": "x", "status": "active"}')
    for root in (tmp_path, home):
        assert [one.path.parent.name for one in AGENT.session_files(root)] == [SESSION]
        assert [one.path.parent.name for one in SessionsDir().session_files(root)] == ["deadbeef"]


def test_a_file_by_hand_leads_to_its_session_if_it_looks_right(tmp_path: Path) -> None:
    right = write(tmp_path / "copy" / "wire.jsonl", {"type": "metadata"}, TURN)
    context = write(tmp_path / "copy" / "context.jsonl", {"role": "_checkpoint", "id": 0})
    wrong = write(tmp_path / "other" / "wire.jsonl", {"level": "info"})
    chat = write(tmp_path / "chat" / "context.jsonl", {"role": "user", "content": "x"})
    for path, names in [
        (right, ["wire.jsonl"]),
        (context, ["wire.jsonl"]),
        (wrong, []),
        (chat, []),
    ]:
        assert [one.path.name for one in AGENT.session_files(path)] == names


def test_links_and_credentials_are_never_opened(tmp_path: Path) -> None:
    home = tmp_path / "home" / ".kimi"
    secret = write(tmp_path / "secret" / "wire.jsonl", TURN)
    folder = home / "sessions" / WORK_DIR / SESSION
    folder.mkdir(parents=True)
    (folder / "wire.jsonl").symlink_to(secret)
    (home / "sessions" / WORK_DIR / "linked").symlink_to(secret.parent)
    write(home / "credentials" / "wire.jsonl", {"type": "metadata"}, TURN)
    (home / "kimi.json").symlink_to(secret)
    assert list(AGENT.session_files(tmp_path / "home")) == []
    assert list(AGENT.session_files(home)) == []


def test_the_configured_folder_stands_for_our_own_home_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mine/.kimi/sessions", "theirs/.kimi/sessions", "share/sessions"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "mine"))
    monkeypatch.setenv("KIMI_SHARE_DIR", str(tmp_path / "share"))
    assert AGENT.homes(tmp_path / "mine") == [tmp_path / "share" / "sessions"]
    assert AGENT.homes(tmp_path / "theirs") == [tmp_path / "theirs" / ".kimi" / "sessions"]


@pytest.mark.parametrize(
    ("native", "kind", "prompt", "command"),
    [
        ("s1", "main", None, "cd '/a b' && kimi --session s1"),
        ("s1", "main", "go $(on)", "cd '/a b' && kimi --session s1 --prompt='go $(on)'"),
        ("--yolo", "main", None, None),
        ("s1", "subagent", None, None),
    ],
)
def test_resume_commands_are_safe_to_paste(
    native: str, kind: str, prompt: str | None, command: str | None
) -> None:
    facts = SessionFacts("kimi", native, "/a b", kind=kind)
    assert AGENT.resume_command(facts, prompt) == command
