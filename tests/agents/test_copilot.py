"""Copilot CLI: who speaks in its events, what a response costs, how a turn ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sessions_app.agents.base import SourceFile
from sessions_app.agents.copilot import Copilot
from sessions_app.records import CALL, THINKING, SessionRecord
from tests.agents.copilot import NAME, answer, event, log, shutdown, started, usage
from tests.agents.fold import fold, summary

AGENT = Copilot()
ASK = event("user.message", content="go")
TURN = event("assistant.turn_start", turnId="0")
END = event("assistant.turn_end", turnId="0")
Lines = list[dict[str, Any]]


def read(tmp_path: Path, *lines: dict[str, Any]) -> dict[str, SessionRecord]:
    path = log(tmp_path, started(), ASK, *lines)
    return fold(AGENT.read(SourceFile(path, root=tmp_path), None))


def session(tmp_path: Path, *lines: dict[str, Any]) -> SessionRecord:
    return read(tmp_path, *lines)[NAME]


@pytest.mark.parametrize(
    ("said", "role", "kind"),
    [
        (event("user.message", content="fix it"), "user", "prompt"),
        (event("user.message", content="fix it", source="user"), "user", "prompt"),
        (event("user.message", content="a skill", source="skill-pdf"), "user", "injected"),
        (event("system.message", content="You are"), "system", "injected"),
        (event("system.notification", content="agent done"), "system", "injected"),
        (event("session.error", message="429"), "system", "error"),
        (event("session.compaction_complete", summaryContent="so far"), "system", "compaction"),
        (answer("done"), "assistant", "answer"),
    ],
)
def test_every_event_says_who_speaks(
    said: dict[str, Any], role: str, kind: str, tmp_path: Path
) -> None:
    message = session(tmp_path, said).messages[-1]
    assert (message.role, message.kind) == (role, kind)


def test_facts_come_from_the_start_and_models_change(tmp_path: Path) -> None:
    found = session(
        tmp_path, answer("hi"), event("session.model_change", newModel="gpt-6"), answer("ho")
    )
    assert (found.work_dir, found.git_branch, found.agent_version) == ("/shop", "main", "1.0")
    assert found.repository_url == "https://github.com/we/shop"
    assert [message.model for message in found.messages] == ["", "", "gpt-6"]


def test_thoughts_told_on_their_own_belong_to_the_next_answer(tmp_path: Path) -> None:
    lines = [event("assistant.reasoning", content="hm"), answer("done"), answer("more")]
    blocks = [
        [block.kind for block in message.blocks] for message in session(tmp_path, *lines).messages
    ]
    assert blocks == [["text"], [THINKING, "text"], ["text"]]


def test_a_response_in_pieces_is_one_message(tmp_path: Path) -> None:
    found = session(tmp_path, answer("one", response="r"), answer("", "c1", response="r"))
    assert [block.kind for block in found.messages[-1].blocks] == ["text", CALL]
    assert summary(found)["assistant_messages"] == 1


@pytest.mark.parametrize(
    ("told", "text", "is_error", "code"),
    [
        ({"success": True, "result": {"content": "ok"}}, "ok", False, None),
        ({"success": False, "error": {"message": "denied"}}, "denied", True, None),
        ({"success": True, "result": "x", "shellExecution": {"exitCode": 2}}, "x", True, 2),
        ({"success": True, "result": "x", "shellExecution": {"exitCode": 0}}, "x", False, 0),
        ({"success": True, "result": "x", "shellExecution": {"exitCode": True}}, "x", False, None),
    ],
)
def test_results_say_how_the_tool_fared(
    told: dict[str, Any], text: str, is_error: bool, code: int | None, tmp_path: Path
) -> None:
    [result] = session(
        tmp_path, answer("", "c1"), event("tool.execution_complete", toolCallId="c1", **told)
    ).results
    assert (result.text, result.is_error, result.exit_code) == (text, is_error, code)


def test_a_tool_that_no_answer_asked_for_is_a_call_all_the_same(tmp_path: Path) -> None:
    run = event("tool.execution_start", toolCallId="c9", toolName="glob", arguments={"p": "*"})
    done = event("tool.execution_complete", toolCallId="c9", success=True, result={"content": ""})
    [block] = session(tmp_path, run, done).messages[-1].blocks
    assert (block.call_id, block.name, block.text) == ("c9", "glob", '{"p": "*"}')


SUMS = (100, 20, 60, 10, 5)
DONE = event("assistant.message", content="x", outputTokens=15, apiCallId="r1")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([usage("r1", *SUMS), answer("x", response="r1")], (30, 20, 60, 10, 5)),
        ([usage("r1", *SUMS), DONE, shutdown(gpt=SUMS)], (30, 20, 60, 10, 5)),
        ([usage("r1", *SUMS), usage("r1", *SUMS)], (30, 20, 60, 10, 5)),
        ([DONE], (0, 15, 0, 0, 0)),  # an older version that was killed
        ([DONE, shutdown(gpt=SUMS)], (30, 20, 60, 10, 5)),
        ([shutdown(gpt=SUMS), shutdown(gpt=SUMS)], (30, 20, 60, 10, 5)),
        ([shutdown(gpt=SUMS), shutdown(gpt=(200, 30, 60, 10, 5))], (130, 30, 60, 10, 5)),
        ([shutdown(gpt=SUMS), shutdown(gpt=(50, 1, 0, 0, 0))], (80, 21, 60, 10, 5)),
        ([shutdown(gpt=SUMS, opus=(1, 1))], (31, 21, 60, 10, 5)),
        ([shutdown()], (0, 0, 0, 0, 0)),
    ],
)
def test_responses_and_sums_at_the_end_count_together_once(
    lines: Lines, expected: tuple[int, ...], tmp_path: Path
) -> None:
    for line in lines:
        if line["type"] == "session.usage_record":
            line["data"]["usage"]["model"] = "gpt"
    model = event("session.model_change", newModel="gpt")
    tokens = summary(session(tmp_path, model, *lines))["tokens"]
    names = ("input", "output", "cache_read", "cache_write", "reasoning")
    assert tuple(tokens[name] for name in names) == expected


def test_an_impossible_count_is_flagged(tmp_path: Path) -> None:
    line = usage("r1", 1, 2)
    line["data"]["usage"]["outputTokens"] = -5
    [told] = session(tmp_path, line, answer("x", response="r1")).usages
    assert (told.input, told.output, told.flagged, told.message_key) == (1, 0, True, "r1")


CALLS = answer("", "c1")


@pytest.mark.parametrize(
    ("lines", "turn"),
    [
        ([], "open"),
        ([TURN], "open"),
        ([TURN, answer("done"), END], "ended"),
        ([TURN, CALLS], "open"),
        ([TURN, CALLS, END], "open"),
        ([TURN, CALLS, END, TURN, answer("done"), END, shutdown()], "ended"),
        ([TURN, END, event("session.error", message="400"), shutdown()], "failed"),
        ([TURN, event("abort", reason="user")], "aborted"),
        ([TURN, CALLS, shutdown()], "aborted"),
        ([TURN, CALLS, END, event("session.task_complete", summary="x"), shutdown()], "ended"),
        ([TURN, shutdown("error")], "failed"),
        ([TURN, event("session.resume")], "open"),
    ],
)
def test_the_last_turn_ends_as_the_events_say(lines: Lines, turn: str, tmp_path: Path) -> None:
    assert session(tmp_path, *lines).turn == turn


def spawned(agent: str, call: str) -> dict[str, Any]:
    return event("subagent.started", agent, toolCallId=call, agentName="task", agentDescription="d")


def test_sub_agents_are_sessions_of_their_own_below_the_one_that_called(tmp_path: Path) -> None:
    found = read(
        tmp_path, answer("", "c1"), spawned("a1", "c1"),
        event("user.message", "a1", content="count"), answer("", "c2", agent="a1"),
        spawned("a2", "c2"), answer("two", agent="a2"), event("subagent.completed", "a2"),
        event("subagent.failed", "a1", error="no"),
        event("tool.execution_complete", toolCallId="c1", success=True, result={}),
    )  # fmt: skip
    told = {name: summary(record) for name, record in found.items()}
    assert told[f"{NAME}/a1"]["relations"] == [["subagent", NAME, "c1"]]
    assert told[f"{NAME}/a2"]["relations"] == [["subagent", f"{NAME}/a1", "c2"]]
    assert told[f"{NAME}/a1"]["kinds"] == {"injected": 1, "answer": 1, "error": 1}
    assert (told[f"{NAME}/a1"]["turn"], told[f"{NAME}/a2"]["turn"]) == ("failed", "ended")
    assert (told[f"{NAME}/a1"]["prompt"], told[f"{NAME}/a1"]["work_dir"]) == ("count", "/shop")
    assert found[NAME].results[0].metadata == {"agent_id": "a1"}
    assert told[NAME]["kinds"] == {"prompt": 1, "answer": 1}


def test_older_events_name_the_call_for_the_sub_agent(tmp_path: Path) -> None:
    inner = event("assistant.message", content="in", parentToolCallId="c1")
    done = event("subagent.completed", toolCallId="c1")
    lines = (answer("", "c1"), event("subagent.started", toolCallId="c1"), inner, done)
    found = read(tmp_path, *lines)[f"{NAME}/c1"]
    assert (found.kind, found.turn, len(found.messages)) == ("subagent", "ended", 1)
    assert [link.call_id for link in found.relations] == ["c1"]


@pytest.mark.parametrize(
    "odd",
    [
        event("assistant.message", content=5, toolRequests="x"),
        event("assistant.message", content="", toolRequests=[None, {"arguments": "raw"}]),
        event("tool.execution_complete", result=[1], shellExecution=3),
        event("session.shutdown", modelMetrics={"m": 3, "n": {"usage": []}}),
        event("session.usage_record", usage="none"),
        event("session.start", context=[]),
        event("subagent.started", toolCallId=7),
        {"type": "user.message", "data": "text", "id": 4, "timestamp": "never", "agentId": 3},
        {"type": "assistant.message", "id": "e", "timestamp": 10**30},
    ],
)
def test_odd_shapes_cost_only_themselves(odd: dict[str, Any], tmp_path: Path) -> None:
    found = session(tmp_path, odd, answer("after"))
    assert found.messages[-1].blocks[-1].text == "after"
    assert found.prompt == "go"
