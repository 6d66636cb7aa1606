"""Kimi Code: what its records say, what a response costs, and where its files lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sessions_app.agents.base import SourceFile
from sessions_app.agents.kimi_code import KimiCode
from sessions_app.records import SessionFacts, SessionRecord
from tests.agents.fold import fold, summary, totals
from tests.agents.kimi import append, loop, read, record, tokens, write

AGENT = KimiCode()
NAME = "session_11111111-2222-4333-8444-555555555555"
USER = {"kind": "user"}
SKILL = {"kind": "skill_activation"}
HELLO = {"type": "text", "text": "hello"}
PROMPT = append("user", "go", origin=USER, id="msg_1")
TURN = record("turn.prompt", origin=USER)
STEP = loop("step.begin", uuid="step-1", step=1)
REQUEST = record("llm.request", model="kimi-k2", modelAlias="mine")


def wire(tmp_path: Path, *lines: dict[str, Any], name: str = NAME, agent: str = "main") -> Path:
    return write(tmp_path / "wd_x" / name / "agents" / agent / "wire.jsonl", *lines)


def session(tmp_path: Path, *lines: dict[str, Any], **state: Any) -> SessionRecord:
    path = wire(tmp_path, *lines)
    if state:
        (path.parents[2] / "state.json").write_text(json.dumps(state), "utf-8")
    return read(AGENT, tmp_path)[NAME]


@pytest.mark.parametrize(
    ("said", "role", "kind"),
    [
        (append("user", "fix it", origin=USER), "user", "prompt"),
        (append("user", "<system-reminder>\nx", origin={"kind": "injection"}), "user", "injected"),
        (append("user", "<system-reminder>\nx"), "user", "injected"),
        (append("user", "plain words"), "user", "prompt"),
        (append("user", "b", origin=SKILL | {"trigger": "user-slash"}), "user", "command"),
        (append("user", "b", origin=SKILL | {"trigger": "nested-skill"}), "user", "injected"),
        (append("user", "so far", origin={"kind": "compaction_summary"}), "user", "compaction"),
        (append("assistant", "brought over", toolCalls=[]), "assistant", "answer"),
        (record("context.apply_compaction", summary="so far"), "system", "compaction"),
        (record("profile.bind", systemPrompt="You are"), "system", "injected"),
        (record("config.update", systemPrompt="You are"), "system", "injected"),
        (record("turn.ended", reason="failed", error={"message": "400"}), "system", "error"),
        (loop("content.part", stepUuid="s", part=HELLO), "assistant", "answer"),
    ],
)
def test_every_record_says_who_speaks(
    said: dict[str, Any], role: str, kind: str, tmp_path: Path
) -> None:
    message = session(tmp_path, PROMPT, said).messages[-1]
    assert (message.role, message.kind) == (role, kind)


def test_what_was_brought_over_from_kimi_cli_is_a_conversation(tmp_path: Path) -> None:
    """Such a wire has no steps, and no time in its messages."""
    lines: list[dict[str, Any]] = [
        append("user", "run"),
        append("assistant", "Running.", toolCalls=[
            {"type": "function", "id": "c", "function": {"name": "Shell", "arguments": "{}"}}
        ]),
        append("tool", "done", toolCallId="c"),
        append("user", "run"),
    ]  # fmt: skip
    for line in lines:
        del line["time"]
    told = summary(session(tmp_path, *lines, record("turn.ended", reason="completed")))
    assert told["kinds"] == {"prompt": 2, "answer": 1}
    assert (told["tool_calls"], told["tool_results"], told["turn"]) == (1, 1, "ended")


def test_answers_are_not_told_again_beside_their_steps(tmp_path: Path) -> None:
    part = loop("content.part", stepUuid="step-1", part=HELLO)
    copy = record(
        "agent.message.appended", message={"message": {"role": "assistant"}}, kind="event"
    )
    found = session(tmp_path, PROMPT, STEP, part, append("assistant", "hello"), copy)
    assert summary(found)["kinds"] == {"prompt": 1, "answer": 1}


def test_equal_messages_of_one_moment_stay_two_if_they_differ(tmp_path: Path) -> None:
    lines = [append("user", text, origin=USER) | {"time": 1784950679623} for text in ("hi", "stop")]
    assert len(session(tmp_path, *lines).messages) == 2


RECORD = record("usage.record", model="mine", usage=tokens(5, 6, 7, 8))
OTHER = record("usage.record", model="mine", usage=tokens(100, 1, 0, 0))
END = loop("step.end", uuid="step-1", finishReason="end_turn", usage=tokens(5, 6, 7, 8))


@pytest.mark.parametrize(
    ("lines", "inputs"),
    [
        ([STEP, RECORD, END], [5]),
        ([STEP, END, RECORD], [5]),  # protocol 1.4
        ([STEP, END], [5]),
        ([STEP, RECORD, END, OTHER], [5, 100]),
        ([STEP, OTHER, RECORD, END], [100, 5]),
        ([RECORD, STEP, END], [5, 5]),
        ([STEP, RECORD, END, record("subagent.completed", usage=tokens(9, 9))], [5]),
        ([STEP, RECORD, END, record("agent.message.appended", message={"meta": {}})], [5]),
    ],
)
def test_a_response_that_is_written_three_times_counts_once(
    lines: list[dict[str, Any]], inputs: list[int], tmp_path: Path
) -> None:
    path = wire(tmp_path, PROMPT, REQUEST, *lines)
    [source] = AGENT.session_files(tmp_path)
    found = fold(AGENT.read(source, None))[NAME]
    assert [usage.input for usage in found.usages] == inputs
    assert {usage.model for usage in found.usages} == {"kimi-k2"}
    # Wherever the reading stops.
    for cut in range(1, len(lines) + 3):
        write(path, *[PROMPT, REQUEST, *lines][:cut])
        cut_source = SourceFile(path, root=tmp_path)
        parts = list(AGENT.read(cut_source, None))
        write(path, PROMPT, REQUEST, *lines)
        parts += AGENT.read(cut_source, cut_source.end)
        assert fold(parts)[NAME].usages == found.usages, cut


def test_a_fork_is_linked_and_its_copies_count_once(tmp_path: Path) -> None:
    own = [loop("step.begin", uuid="step-2"), record("usage.record", usage=tokens(1, 2, 3, 4))]
    wire(tmp_path, PROMPT, STEP, RECORD, END)
    fork = wire(tmp_path, PROMPT, STEP, RECORD, END, record("forked"), *own, name="session_fork")
    (fork.parents[2] / "state.json").write_text(json.dumps({"forkedFrom": NAME}))
    found = read(AGENT, tmp_path)
    assert totals(found.values())["tokens"]["input"] == 6
    assert summary(found["session_fork"])["tokens"]["input"] == 6
    assert [(link.kind, link.parent_identity) for link in found["session_fork"].relations] == [
        ("fork", NAME)
    ]


def test_a_nested_sub_agent_hangs_on_the_one_above_it(tmp_path: Path) -> None:
    spawned = record(
        "subagent.spawned", subagentId="agent-1", parentToolCallId="c", description="d"
    )
    task = append("user", "count", origin={"kind": "system_trigger", "name": "subagent"})
    wire(tmp_path, PROMPT)
    wire(tmp_path, task, spawned, agent="agent-0")
    path = wire(tmp_path, task, agent="agent-1")
    agents = {"agent-1": {"parentAgentId": "agent-0", "labels": {"profileName": "coder"}}}
    (path.parents[2] / "state.json").write_text(json.dumps({"agents": agents, "cwd": "/shop"}))
    told = summary(read(AGENT, tmp_path)[f"{NAME}/agent-1"])
    assert told["relations"] == [["subagent", f"{NAME}/agent-0", "c"]]
    assert (told["title"], told["prompt"], told["work_dir"]) == ("d", "count", "/shop")
    assert (told["kinds"], told["metadata"]) == ({"injected": 1}, {"agent_type": "coder"})


@pytest.mark.parametrize(
    ("lines", "turn"),
    [
        ([TURN], "open"),
        ([TURN, record("turn.ended", reason="completed")], "ended"),
        ([TURN, record("turn.ended", reason="failed")], "failed"),
        ([TURN, record("turn.ended", reason="cancelled")], "aborted"),
        ([TURN, record("turn.cancel")], "aborted"),
        ([TURN, STEP, END], "ended"),
        ([TURN, STEP, loop("step.end", uuid="step-1", finishReason="tool_use")], "open"),
        ([TURN, STEP, loop("step.end", uuid="step-1", finishReason="error")], "failed"),
        ([TURN, STEP, END, loop("step.begin", uuid="step-2")], "open"),
        ([], "ended"),  # nothing but what state.json says
    ],
)
def test_the_last_turn_ends_as_the_wire_says(
    lines: list[dict[str, Any]], turn: str, tmp_path: Path
) -> None:
    assert session(tmp_path, PROMPT, *lines, lastTurnReason="completed").turn == turn


@pytest.mark.parametrize(
    ("state", "title", "rank"),
    [
        ({"title": "Cart", "isCustomTitle": True}, "Cart", 5),
        ({"title": "Cart", "isCustomTitle": False}, "Cart", 3),
        ({"title": "Fork: session_1", "titleKind": "replaceable"}, "Fork: session_1", 1),
        ({"title": 7, "cwd": ["/"], "archived": True}, "", 0),
    ],
)
def test_a_title_is_worth_what_it_came_from(
    state: dict[str, Any], title: str, rank: int, tmp_path: Path
) -> None:
    found = session(tmp_path, PROMPT, **state)
    assert (found.title, found.title_rank) == (title, rank)
    assert found.metadata == ({"archived": True} if "archived" in state else {})


def test_the_folder_comes_from_the_wire_where_the_state_is_silent(tmp_path: Path) -> None:
    lines = [record("config.update", cwd="/first"), record("config.update", cwd="/later")]
    assert session(tmp_path, PROMPT, *lines).work_dir == "/first"
    assert session(tmp_path, PROMPT, *lines, workDir="/told").work_dir == "/told"


def test_odd_shapes_cost_only_themselves(tmp_path: Path) -> None:
    odd = [
        record("turn.step.interrupted", message="a text where others have an object"),
        record("context.append_message", message=["x"]),
        record("context.append_loop_event", event="x"),
        record("usage.record", usage=7),
        record("llm.request", model={"name": "x"}),
        loop("tool.result", toolCallId=9, result="done"),
    ]
    found = session(tmp_path, PROMPT, *odd, append("user", "still", origin=USER))
    assert [message.blocks[0].text for message in found.messages] == ["go", "still"]
    assert [problem.line for problem in found.problems] == [6]


def test_one_file_by_hand_is_its_agents_wire(tmp_path: Path) -> None:
    main = wire(tmp_path, PROMPT)
    sub = wire(tmp_path, PROMPT, agent="agent-0")
    state = main.parents[2] / "state.json"
    state.write_text("{}")
    loose = write(tmp_path / "wire.jsonl", PROMPT)
    for path, wanted in [(main, [main]), (sub, [sub]), (state, [main]), (loose, [])]:
        assert [one.path for one in AGENT.session_files(path)] == wanted


def test_links_and_credentials_are_never_opened(tmp_path: Path) -> None:
    home = tmp_path / "home"
    secret = wire(tmp_path / "secret", PROMPT)
    folder = home / ".kimi-code" / "sessions" / "wd_x" / NAME / "agents"
    (folder / "main").mkdir(parents=True)
    (folder / "main" / "wire.jsonl").symlink_to(secret)
    (folder / "agent-0").symlink_to(secret.parent)
    wire(home / ".kimi-code" / "credentials", PROMPT)
    for root in (home, home / ".kimi-code", folder.parent):
        assert list(AGENT.session_files(root)) == []


def test_the_configured_folder_stands_for_our_own_home_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mine/.kimi-code/sessions", "theirs/.kimi-code/sessions", "told/sessions"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "mine"))
    monkeypatch.setenv("KIMI_CODE_HOME", str(tmp_path / "told"))
    assert AGENT.homes(tmp_path / "mine") == [tmp_path / "told" / "sessions"]
    assert AGENT.homes(tmp_path / "theirs") == [tmp_path / "theirs" / ".kimi-code" / "sessions"]


@pytest.mark.parametrize(
    ("native", "kind", "prompt", "command"),
    [
        ("session_1", "main", None, "cd '/a b' && kimi -r session_1"),
        ("session_1", "main", "go $(on)", "cd '/a b' && kimi -r session_1 --prompt='go $(on)'"),
        ("-x", "main", None, None),
        ("agent-0", "subagent", None, None),
    ],
)
def test_resume_commands_are_safe_to_paste(
    native: str, kind: str, prompt: str | None, command: str | None
) -> None:
    facts = SessionFacts("kimi-code", native, "/a b", kind=kind)
    assert AGENT.resume_command(facts, prompt) == command
