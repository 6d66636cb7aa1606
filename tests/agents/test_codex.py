"""Codex: what lines of every kind say, and what a response costs."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from sessions_app.agents.base import PART_SIZE, SourceFile, UnreadableSession
from sessions_app.agents.codex import Codex
from sessions_app.agents.codex.content import unwrapped
from sessions_app.records import CALL, IMAGE, Block
from tests.agents.codex import (
    THREAD,
    Lines,
    assistant,
    call,
    context,
    count,
    event,
    item,
    line,
    meta,
    output,
    rollout,
    session,
    tokens,
    usage,
    user,
)
from tests.agents.fold import fold, summary

DOT = base64.b64encode(b"\x89PNG").decode()
PICTURE = {"type": "input_image", "image_url": f"data:image/png;base64,{DOT}"}


@pytest.mark.parametrize(
    ("said", "kind", "text"),
    [
        (user("fix it"), "prompt", "fix it"),
        (user("<environment_context>\n</environment_context>"), "injected", None),
        (user("  <user_instructions>x</user_instructions>"), "injected", None),
        (user("# AGENTS.md instructions for /x"), "injected", None),
        (user("<permissions instructions>"), "injected", None),
        (user("<skills_instructions>"), "injected", None),
        (user("<skill>\n<name>x</name>"), "injected", None),
        (user("<turn_aborted>"), "injected", None),
        (user("<subagent_notification>"), "injected", None),
        (user("<user_shell_command>ls"), "command", None),
        (user("# AGENTS.md instructions", "<environment_context>"), "injected", None),
        (user("# Context from my IDE setup:\n\n## My request for Codex:\nfix"), "prompt", "fix"),
        (user("# Context from my IDE setup:\n- a.py"), "prompt", None),
        (user("<image name=[Image #1]>", "</image>", "what?"), "prompt", "what?"),
        (item("message", role="user", content="bare words"), "prompt", "bare words"),
        (item("message", role="user", content=[PICTURE]), "prompt", ""),
        (item("message", role="developer", content="be kind"), "injected", "be kind"),
        (item("agent_message", author="/root/a", content="done"), "injected", "done"),
        (item("reasoning", summary=[], content=["thought"]), "answer", "thought"),
        (line("compacted", message="so far"), "compaction", "so far"),
        (event("error", message="no network"), "error", "no network"),
        (event("error", error={"kind": "x", "message": "too fast"}), "error", "too fast"),
        (event("task_complete", error="stopped"), "error", "stopped"),
    ],
)
def test_every_message_says_who_speaks(
    said: dict[str, Any], kind: str, text: str | None, tmp_path: Path
) -> None:
    (message,) = session(tmp_path, said).messages
    assert message.kind == kind
    if text is not None:
        assert "\n".join(block.text for block in message.blocks if block.kind != IMAGE) == text


@pytest.mark.parametrize(
    ("kind", "given", "block", "is_answered"),
    [
        ("function_call", {"name": "f", "arguments": '{"a": 1}'}, ("f", '{"a": 1}'), False),
        ("function_call", {"name": "f", "arguments": {"a": 1}}, ("f", '{"a":1}'), False),
        ("function_call", {"name": "f", "namespace": "mcp", "arguments": ""}, ("mcp.f", ""), False),
        ("function_call", {"name": "f", "arguments": None}, ("f", ""), False),
        ("custom_tool_call", {"name": "patch", "input": "***"}, ("patch", "***"), False),
        ("local_shell_call", {"action": {"x": 1}}, ("local_shell", '{"x":1}'), False),
        ("tool_search_call", {"arguments": {"q": 1}}, ("tool_search", '{"q":1}'), False),
        ("web_search_call", {"action": {"q": 1}}, ("web_search", '{"q":1}'), True),
        ("image_generation_call", {"revised_prompt": "a dot", "result": DOT},
         ("image_generation", "a dot"), True),
        ("something_new_call", {"input": "x"}, ("something_new", "x"), False),
    ],
)  # fmt: skip
def test_calls_of_every_type_are_tool_calls(
    kind: str, given: dict[str, Any], block: tuple[str, str], is_answered: bool, tmp_path: Path
) -> None:
    record = session(tmp_path, item(kind, call_id="c1", **given))
    (message,) = record.messages
    assert message.blocks == [Block(CALL, block[1], "c1", block[0])]
    assert bool(record.results) is is_answered


@pytest.mark.parametrize(
    ("given", "text", "exit_code", "is_error"),
    [
        ("plain words", "plain words", None, False),
        ("Exit code: 0\nOutput:\nExit code: 7\n", None, 0, False),
        ("Exit code: 2\nWall time: 1 seconds\nOutput:\n", None, 2, True),
        ("Chunk ID: 1\nWall time: 0.1 seconds\nProcess exited with code -9\n", None, -9, True),
        ("cat log\nProcess exited with code 1\n", None, None, False),
        ('{"output":"x","metadata":{"exit_code":1}}', "x", 1, True),
        ('{"output": "x", "metadata": {"exit_code": 0}}', "x", 0, False),
        ('{"output":"x","metadata":{"exit_code":"odd"}}', "x", None, False),
        ('{"output":"cut', '{"output":"cut', None, False),
        ({"content": "denied", "success": False}, "denied", None, True),
        ({"content": [{"type": "input_text", "text": "a"}], "success": True}, "a", None, False),
        ({"type": "input_text", "text": "a"}, "a", None, False),
        ([{"type": "input_text", "text": "a"}, PICTURE, "b"], "a\nb", None, False),
        (None, "", None, False),
        (7, "", None, False),
    ],
)
def test_outputs_of_every_shape_answer_their_call(
    given: Any, text: str | None, exit_code: int | None, is_error: bool, tmp_path: Path
) -> None:
    (result,) = session(tmp_path, call(), output(given)).results
    assert (result.text, result.exit_code) == (given if text is None else text, exit_code)
    assert result.is_error is is_error
    assert [image.data for image in result.images] == [b"\x89PNG"] * (PICTURE in _list(given))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def test_a_command_output_nested_too_deeply_stays_text() -> None:
    text = '{"output":"x","metadata":' + "[" * 9000
    assert unwrapped(text) == (text, None)


@pytest.mark.parametrize(
    ("url", "block"),
    [
        (f"data:image/jpeg;base64,{DOT}", Block(IMAGE, media_type="image/jpeg", data=b"\x89PNG")),
        ({"url": PICTURE["image_url"]}, Block(IMAGE, media_type="image/png", data=b"\x89PNG")),
        ("data:image/png;base64,!", Block("text", "[image/png: not base64]")),
        ("https://example.com/a.png", Block("text", "https://example.com/a.png")),
    ],
)
def test_only_pictures_inside_the_file_are_images(url: Any, block: Block, tmp_path: Path) -> None:
    content = [{"type": "input_image", "image_url": url}]
    (message,) = session(tmp_path, item("message", role="user", content=content)).messages
    assert message.blocks == [block]


LONG = "msg_0123456789abcdef"


@pytest.mark.parametrize(
    ("lines", "answers"),
    [
        ([assistant("a"), call(), count(tokens(1), tokens(1)), output("x"), assistant("b")],
         [["a", "c1"], ["b"]]),
        ([call(), call("c2"), output("x"), output("y", "c2"), count(tokens(1), tokens(1)),
          call("c3")], [["c1", "c2"], ["c3"]]),
        ([call(), usage("r1", tokens(1)), output("x"), count(tokens(1), tokens(1)), call("c2"),
          usage("r2", tokens(2))], [["c1"], ["c2"]]),
        ([call(), output("x"), call("c2"), output("y", "c2"), assistant("b")],
         [["c1"], ["c2"], ["b"]]),
        ([count(tokens(1), tokens(1)), call(), output("x"), call("c2"), output("y", "c2"),
          context(), count(tokens(2), tokens(1)), assistant("b")], [["c1", "c2"], ["b"]]),
        ([assistant("a"), output("late", "of an older call"), call()], [["a", "c1"]]),
        ([assistant("a"), user("stop"), assistant("b")], [["a"], ["b"]]),
        ([assistant("a"), context(), assistant("b")], [["a"], ["b"]]),
        ([assistant("a"), event("turn_aborted"), assistant("b")], [["a"], ["b"]]),
        ([assistant("a", id="msg_0"), user("go on"), assistant("b", id="msg_0")], [["a"], ["b"]]),
        ([assistant("a", id=LONG), assistant("a b")], [["a b"]]),
    ],
)  # fmt: skip
def test_one_response_is_one_message(
    lines: Lines, answers: list[list[str]], tmp_path: Path
) -> None:
    record = session(tmp_path, context(), user("go"), *lines)
    found = [
        [block.call_id or block.text for block in message.blocks]
        for message in record.messages
        if message.kind == "answer"
    ]
    assert found == answers
    own = {message.key for message in record.messages if message.kind == "answer"}
    assert {usage.message_key for usage in record.usages} <= own
    assert len({usage.message_key for usage in record.usages}) == len(record.usages)


def test_the_id_of_its_first_item_is_the_key_of_a_response(tmp_path: Path) -> None:
    thought = item("reasoning", id="rs_0123456789abcdef", summary=[], encrypted_content="x")
    lines = (user("go", id=LONG), thought, assistant("a", id="msg_fedcba9876543210"))
    assert [m.key for m in session(tmp_path, *lines).messages] == [LONG, "rs_0123456789abcdef"]


@pytest.mark.parametrize(
    ("lines", "numbers"),
    [
        # input without cache, output, cache read, cache write, reasoning
        ([count(tokens(100, 60, 9, 4), tokens(100, 60, 9, 4))], [(40, 9, 60, 0, 4)]),
        ([count(tokens(100, 60, 9, 4, 30), tokens(100, 60, 9, 4, 30))], [(10, 9, 60, 30, 4)]),
        ([count(tokens(100), tokens(100)), count(tokens(100), tokens(100))], [(100, 0, 0, 0, 0)]),
        ([count(tokens(100), tokens(100)), count(tokens(200), tokens(100))],
         [(100, 0, 0, 0, 0)] * 2),
        ([count(tokens(100), None), count(tokens(130, 10, 5), None)],
         [(100, 0, 0, 0, 0), (20, 5, 10, 0, 0)]),
        ([count(tokens(100), tokens(100)), count(tokens(30), None)],
         [(100, 0, 0, 0, 0), (30, 0, 0, 0, 0)]),
        ([count(None, tokens(7)), count(None, tokens(7))], [(7, 0, 0, 0, 0)] * 2),
        ([count(tokens(0), tokens(0)), count(None, None), event("token_count", info=None)], []),
        ([usage("r1", tokens(5)), count(tokens(5), tokens(5))], [(5, 0, 0, 0, 0)]),
        ([usage("r1", tokens(5)), usage("r1", tokens(5))], [(5, 0, 0, 0, 0)]),
        ([usage("r1", tokens(5)), count(tokens(0), tokens(0)), count(tokens(6), tokens(6))],
         [(5, 0, 0, 0, 0)]),
        ([usage("", tokens(5)), usage("", tokens(6))], [(5, 0, 0, 0, 0), (6, 0, 0, 0, 0)]),
        ([usage("r1", tokens(5)), context(turn_id="t2"), count(tokens(6), tokens(6))],
         [(5, 0, 0, 0, 0), (6, 0, 0, 0, 0)]),
        ([line("token_usage_record", response_id="r1", usage=None)], []),
    ],
)  # fmt: skip
def test_every_response_is_counted_once(
    lines: Lines, numbers: list[tuple[int, ...]], tmp_path: Path
) -> None:
    found = session(tmp_path, *lines).usages
    assert [(u.input, u.output, u.cache_read, u.cache_write, u.reasoning) for u in found] == numbers
    assert not any(u.flagged for u in found)


@pytest.mark.parametrize(
    ("numbers", "counted"),
    [
        ((-7, 0, 1), (0, 1, 0)),
        (("33", 0, 1), (0, 1, 0)),
        ((None, 0, 1), (0, 1, 0)),
        ((2**63, 0, 1), (0, 1, 0)),
        ((float("nan"), 0, 1), (0, 1, 0)),
        ((float("inf"), 0, 1), (0, 1, 0)),
        ((10, 30, 1), (0, 1, 30)),
        ((10, 0, 1, 5), (10, 1, 0)),
        (([1], {"a": 1}, 1), (0, 1, 0)),
    ],
)
def test_an_impossible_number_counts_nothing_and_is_flagged(
    numbers: tuple[Any, ...], counted: tuple[int, ...], tmp_path: Path
) -> None:
    (found,) = session(tmp_path, count(tokens(*numbers), tokens(*numbers))).usages
    assert (found.input, found.output, found.cache_read) == counted
    assert found.flagged
    assert found.reasoning <= found.output


@pytest.mark.parametrize(
    ("lines", "turn"),
    [
        ([user("go")], "open"),
        ([user("go"), assistant("done")], "ended"),
        ([user("go"), assistant("look"), call()], "open"),
        ([user("go"), call(), output("x")], "open"),
        ([user("go"), event("error", message="x")], "failed"),
        ([user("go"), event("turn_aborted", reason="interrupted")], "aborted"),
        ([user("go"), event("turn_aborted"), user("again")], "open"),
        ([event("task_started"), user("go"), assistant("half")], "open"),
        ([event("task_started"), user("go"), event("task_complete")], "ended"),
        ([event("task_started"), event("task_complete", error={"message": "x"})], "failed"),
        ([event("task_complete", error={}), event("task_started")], "open"),
        ([event("turn_started"), event("turn_complete")], "ended"),
        ([user("<environment_context>")], ""),
    ],
)
def test_the_file_tells_how_the_last_turn_ended(lines: Lines, turn: str, tmp_path: Path) -> None:
    assert session(tmp_path, *lines).turn == turn


def test_an_error_that_the_end_of_its_turn_repeats_is_one_message(tmp_path: Path) -> None:
    failing = [event("error", message="no"), event("task_complete", error={"message": "no"})]
    record = session(tmp_path, event("task_started"), *failing, event("task_started"), *failing)
    assert summary(record)["kinds"] == {"error": 2}


@pytest.mark.parametrize(
    ("told", "kind", "relations"),
    [
        ({}, "main", []),
        ({"forked_from_id": "p"}, "main", [["fork", "p", ""]]),
        ({"source": {"subagent": {"thread_spawn": {"parent_thread_id": "p"}}},
          "forked_from_id": "p"}, "subagent", [["subagent", "p", ""]]),
        ({"source": {"subagent": "review"}}, "subagent", []),
        ({"thread_source": "subagent", "parent_thread_id": "p"}, "subagent",
         [["subagent", "p", ""]]),
        ({"source": {"subagent": {"thread_spawn": {"parent_thread_id": 7}}}}, "subagent", []),
        ({"source": ["odd"], "git": "odd", "base_instructions": 7}, "main", []),
    ],
)  # fmt: skip
def test_the_head_tells_what_a_session_comes_from(
    told: dict[str, Any], kind: str, relations: list[list[str]], tmp_path: Path
) -> None:
    path = rollout(tmp_path, meta(**told), meta("of the copied history"), user("go"))
    (record,) = fold(Codex().read(SourceFile(path, root=tmp_path), None)).values()
    assert (record.identity, record.backend_session_id) == (THREAD, THREAD)
    assert (record.kind, summary(record)["relations"]) == (kind, relations)


def test_a_call_that_made_a_sub_agent_says_which(tmp_path: Path) -> None:
    spawned = [
        event("collab_agent_spawn_end", call_id="c1", new_thread_id="thread-1"),
        event("sub_agent_activity", event_id="c2", agent_thread_id="thread-2", kind="started"),
    ]
    made = [call(), call("c2"), *spawned, output("x"), output("y", "c2")]
    results = session(tmp_path, *made).results
    assert [result.metadata for result in results] == [
        {"agent_id": "thread-1"}, {"agent_id": "thread-2"},
    ]  # fmt: skip


def test_without_a_head_the_file_names_the_session(tmp_path: Path) -> None:
    path = rollout(tmp_path, b"torn{", user("go"), meta("too late"))
    (record,) = fold(Codex().read(SourceFile(path, root=tmp_path), None)).values()
    assert (record.identity, record.backend_session_id) == (THREAD, THREAD)
    assert [problem.line for problem in record.problems] == [1]


def test_a_file_without_any_session_is_unreadable_and_read_anew(tmp_path: Path) -> None:
    path = rollout(tmp_path, b"torn{", event("warning"), name="notes")
    source = SourceFile(path, root=tmp_path)
    with pytest.raises(UnreadableSession):
        list(Codex().read(source, None))
    assert source.end.offset == 0


def test_what_is_not_read_cannot_be_of_the_wrong_shape(tmp_path: Path) -> None:
    odd = [event("collab_close_end", item=7, id={}, name=[]), line("world_state", id=7)]
    assert session(tmp_path, *odd, user("go")).problems == []
    (problem,) = session(tmp_path, user("go", id=7)).problems
    assert "id" in problem.reason


def test_a_line_whose_payload_is_no_object_is_reported(tmp_path: Path) -> None:
    odd = [{"type": "response_item", "payload": value} for value in ("words", [1], None)]
    problems = session(tmp_path, *odd, {"type": "new", "payload": 7}, user("go")).problems
    assert [problem.line for problem in problems] == [2, 3]


def test_a_position_of_another_version_starts_again(tmp_path: Path) -> None:
    source = SourceFile(rollout(tmp_path, meta(), user("go")), root=tmp_path)
    first = list(Codex().read(source, None))
    assert list(Codex().read(source, source.end)) == []
    source.end.version, source.end.state = 99, b"of another make"
    assert list(Codex().read(source, source.end)) == first


def test_a_long_file_comes_in_parts_that_make_one_session(tmp_path: Path) -> None:
    words = "x" * (PART_SIZE // 8)
    turns = [
        said
        for number in range(20)
        for said in (user(f"{number}"), call(f"c{number}"), output(words, f"c{number}"),
                     count(tokens(number + 1), tokens(1)))
    ]  # fmt: skip
    source = SourceFile(rollout(tmp_path, meta(), *turns), root=tmp_path)
    parts = list(Codex().read(source, None))
    (record,) = fold(parts).values()
    found = summary(record)
    assert len(parts) == 3
    assert (found["user_prompts"], found["assistant_messages"], found["responses"]) == (20, 20, 20)
    assert (found["tool_results"], found["prompt"]) == (20, "0")
