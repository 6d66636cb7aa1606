"""Claude Code: what lines of every kind say."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sessions_app.agents.base import PART_SIZE, SourceFile
from sessions_app.agents.claude_code import ClaudeCode
from sessions_app.records import (
    CALL,
    IMAGE,
    Block,
)
from tests.agents.claude import assistant, call, log, read, result, session, text, user
from tests.agents.fold import fold, summary

USAGE = {"input_tokens": 10, "output_tokens": 5}
REMINDER = "<system-reminder>be brief</system-reminder>"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (user("fix it"), "prompt"),
        (user([text("fix it")]), "prompt"),
        (user([text("<ide_opened_file>a.py</ide_opened_file>"), text("fix it")]), "prompt"),
        (user("  " + REMINDER), "injected"),
        (user("<task-notification>done</task-notification>"), "injected"),
        (user("Caveat: The messages below"), "injected"),
        (user("Base directory for this skill", isMeta=True), "injected"),
        (user("count the files", isSidechain=True), "injected"),
        (user("<command-name>/clear</command-name>"), "command"),
        (user("<local-command-stdout>ok</local-command-stdout>"), "command"),
        (user("<bash-input>ls</bash-input>"), "command"),
        (user("[Request interrupted by user]"), "note"),
        (user("What was said so far", isCompactSummary=True), "compaction"),
        (user("This session is being continued from"), "compaction"),
        (user([result("3 files"), text("Go on.")]), "injected"),
        (user(["bare words"]), "note"),
        (user("x") | {"message": "bare words"}, "note"),
        (assistant("Done."), "answer"),
        (assistant("API Error: 529", model="<synthetic>"), "error"),
        (assistant("No response requested.", model="<synthetic>"), "note"),
        ({"type": "system", "subtype": "compact_boundary", "uuid": "s"}, "compaction"),
        ({"type": "system", "subtype": "api_error", "uuid": "s", "error": "529"}, "error"),
        ({"type": "system", "subtype": "local_command", "content": "x"}, "command"),
        ({"type": "attachment", "attachment": {"type": "queued_command", "prompt": "x"}}, "prompt"),
        (
            {
                "type": "attachment",
                "attachment": {
                    "type": "queued_command",
                    "commandMode": "task-notification",
                    "prompt": "x",
                },
            },
            "injected",
        ),
    ],
)
def test_every_message_says_who_speaks(line: dict[str, Any], kind: str, tmp_path: Path) -> None:
    assert [message.kind for message in session(tmp_path, line).messages] == [kind]


def test_lines_without_conversation_make_no_message(tmp_path: Path) -> None:
    record = session(
        tmp_path,
        user("hello"),
        {"type": "system", "subtype": "turn_duration", "uuid": "s1", "durationMs": 5},
        {"type": "attachment", "uuid": "x", "attachment": {"type": "todo_reminder"}},
        {"type": "file-history-snapshot", "messageId": "u1", "snapshot": {}},
        {"type": "something-new", "uuid": "n", "payload": [1]},
        user([]),
    )
    assert [message.key for message in record.messages] == ["u1"]
    assert not record.problems


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<command-message>init is running</command-message>\n<command-name>/init</command-name>",
         "/init"),
        ("<command-name>/review</command-name><command-args>the tests</command-args>",
         "/review the tests"),
        ("<local-command-stdout>Bye!</local-command-stdout>", "Bye!"),
        ("<bash-stdout>a</bash-stdout><bash-stderr></bash-stderr>", "a"),
        ("<local-command-stdout></local-command-stdout>",
         "<local-command-stdout></local-command-stdout>"),
    ],
)  # fmt: skip
def test_a_command_is_shown_as_it_was_typed(written: str, shown: str, tmp_path: Path) -> None:
    assert summary(session(tmp_path, user(written)))["texts"] == [shown]


def test_the_lines_of_one_response_are_one_message(tmp_path: Path) -> None:
    record = session(
        tmp_path,
        assistant([{"type": "thinking", "thinking": "hm", "signature": "s"}]),
        assistant("Rea"),
        assistant("Reading."),
        assistant([call(command="ls"), {"type": "redacted_thinking", "data": "x"}]),
        assistant("Another one", "m2"),
    )
    first, second = record.messages
    assert (first.key, second.key) == ("m1", "m2")
    assert first.blocks == [
        Block("thinking", "hm"),
        Block("text", "Reading."),
        Block(CALL, '{"command": "ls"}', "t1", "Bash"),
    ]


def test_a_message_may_go_on_in_another_part(tmp_path: Path) -> None:
    big = "x" * PART_SIZE
    path = log(tmp_path, user("go"), assistant(big), assistant([call()]), user([result("ok")]))
    parts = read(path)
    assert [[message.key for message in part.messages] for part in parts] == [["u1", "m1"], ["m1"]]
    assert parts[1].messages[0].blocks == [Block(CALL, "{}", "t1", "Bash")]
    (record,) = fold(parts).values()
    assert [len(message.blocks) for message in record.messages] == [1, 2]


def test_each_part_ends_where_the_next_reading_may_start(tmp_path: Path) -> None:
    path = log(tmp_path, user("go"), assistant("x" * PART_SIZE), user("and", "u2"))
    (source,) = ClaudeCode().session_files(path)
    first = next(ClaudeCode().read(source, None))
    after = source.end
    (second,) = ClaudeCode().read(SourceFile(path, root=tmp_path), after)
    assert [len(first.messages), len(second.messages)] == [2, 1]
    assert second.prompt == ""  # the first prompt was told


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (USAGE, {"input": 10, "output": 5}),
        ({"cache_read_input_tokens": 7, "cache_creation_input_tokens": 9},
         {"cache_read": 7, "cache_write": 9}),
        ({"cache_creation_input_tokens": 9, "cache_creation":
          {"ephemeral_1h_input_tokens": 4, "ephemeral_5m_input_tokens": 5}},
         {"cache_write": 9, "cache_write_1h": 4}),
        ({"cache_creation": {"ephemeral_1h_input_tokens": 4, "ephemeral_5m_input_tokens": 5}},
         {"cache_write": 9, "cache_write_1h": 4}),
        ({"output_tokens": 8, "output_tokens_details": {"thinking_tokens": 3}},
         {"output": 8, "reasoning": 3}),
        ({"input_tokens": -4, "output_tokens": 5}, {"output": 5, "flagged": True}),
        ({"input_tokens": "12", "output_tokens": 5}, {"output": 5, "flagged": True}),
        ({"input_tokens": 2**70, "output_tokens": 5}, {"output": 5, "flagged": True}),
        ({"input_tokens": None, "output_tokens": 5}, {"output": 5}),
        ({"input_tokens": 1, "cache_creation": "none", "service_tier": "x"}, {"input": 1}),
    ],
)  # fmt: skip
def test_usage_is_told_in_the_normal_form(
    usage: dict[str, Any], expected: dict[str, Any], tmp_path: Path
) -> None:
    (found,) = session(tmp_path, assistant("hi", usage=usage)).usages
    names = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")
    assert {name: getattr(found, name) for name in names} == dict.fromkeys(names, 0) | {
        name: count for name, count in expected.items() if name in names
    }
    assert found.flagged == expected.get("flagged", False)


def test_a_response_counts_once_and_at_its_largest(tmp_path: Path) -> None:
    record = session(
        tmp_path,
        assistant("a", usage=USAGE),
        assistant("ab", usage=USAGE | {"output_tokens": 50}, costUSD=0.0125),
        assistant("abc", usage=USAGE),
        assistant("no numbers", "m2"),
        assistant("API Error: 500", "m3", model="<synthetic>", usage=USAGE),
    )
    (usage,) = record.usages
    assert (usage.key, usage.message_key, usage.output) == ("m1", "m1", 50)
    assert usage.cost == Decimal("0.0125")
    assert (usage.model, record.model) == ("claude-test", "claude-test")


@pytest.mark.parametrize(
    ("changes", "key", "message_key"),
    [
        ({"requestId": "r1"}, "r1", "a-m1"),
        ({}, "a-m1", "a-m1"),
        ({"uuid": None}, "11111111-2222-4333-8444-555555555555/line-1", "line-1"),
    ],
)
def test_a_response_without_an_id_is_still_only_itself(
    changes: dict[str, Any], key: str, message_key: str, tmp_path: Path
) -> None:
    line = assistant("hi", usage=USAGE) | changes
    del line["message"]["id"]
    (usage,) = session(tmp_path, line).usages
    assert (usage.key, usage.message_key) == (key, message_key)


ASK, CALLS, ANSWERS = user("go"), assistant([call()]), user([result("ok")], "u2")


@pytest.mark.parametrize(
    ("lines", "turn"),
    [
        ([ASK], "open"),
        ([ASK, assistant("x", stop_reason="end_turn")], "ended"),
        ([ASK, assistant("x", stop_reason="tool_use")], "open"),
        ([ASK, CALLS], "open"),
        ([ASK, CALLS, ANSWERS], "open"),
        ([ASK, CALLS, ANSWERS, assistant("x", "m2")], "ended"),
        ([ASK, assistant("x"), CALLS], "open"),
        ([ASK, CALLS, assistant("words of the same response")], "open"),
        ([ASK, assistant([{"type": "thinking", "thinking": "hm"}])], "open"),
        ([ASK, assistant("x", model="<synthetic>", isApiErrorMessage=True)], "failed"),
        ([ASK, user("[Request interrupted by user]", "u2")], "aborted"),
        ([ASK, CALLS, user([result("no"), text("[Request interrupted by user for tool use]")])],
         "aborted"),
        # A resume after a kill is no turn.
        ([ASK, user([text("Continue from where you left off.")], "u2", isMeta=True),
          assistant("No response requested.", model="<synthetic>")], "open"),
        ([ASK, assistant("x", stop_reason="end_turn"),
          user("<command-name>/exit</command-name>", "u3")], "ended"),
        # The steps of a sub-agent inside the parent's file are inside the parent's turn.
        ([ASK, CALLS, assistant("x", "m9", stop_reason="end_turn", isSidechain=True)], "open"),
        ([ASK, {"type": "attachment", "uuid": "q",
                "attachment": {"type": "queued_command", "prompt": "and that"}}], "open"),
    ],
)  # fmt: skip
def test_the_last_turn_is_told(lines: list[dict[str, Any]], turn: str, tmp_path: Path) -> None:
    assert session(tmp_path, *lines).turn == turn


def test_an_inline_subagent_is_marked_and_counted(tmp_path: Path) -> None:
    record = session(
        tmp_path,
        user("go"),
        user("count", "s1", isSidechain=True),
        assistant("3", "m2", isSidechain=True, usage=USAGE, model="claude-small"),
        assistant("3 files", usage=USAGE),
    )
    marks = [message.metadata.get("sidechain", False) for message in record.messages]
    assert marks == [False, True, True, False]
    assert [len(record.usages), record.model, record.prompt] == [2, "claude-test", "go"]


def one_result(folder: Path, block: dict[str, Any], **more: Any) -> Any:
    (found,) = session(folder, assistant([call()]), user([block], "u2", **more)).results
    return found


def test_results_of_tools(tmp_path: Path) -> None:
    picture = {"type": "base64", "media_type": "image/png", "data": "AAEC"}
    parts = [text("one"), {"type": "image", "source": picture}, text("two")]
    found = one_result(tmp_path, result(parts), toolUseResult={"agentId": "abc", "usage": {}})
    assert (found.call_id, found.text, found.is_error) == ("t1", "one\ntwo", False)
    assert found.images == [Block(IMAGE, media_type="image/png", data=b"\x00\x01\x02")]
    assert found.metadata == {"agent_id": "abc"}

    found = one_result(tmp_path, result("Exit code 127\nnot found", is_error=True))
    assert (found.is_error, found.exit_code) == (True, 127)
    assert one_result(tmp_path, result("Exit code 127")).exit_code is None
    assert one_result(tmp_path, result(None)).text == ""
    assert one_result(tmp_path, result(text("one object"))).text == "one object"


def test_a_result_without_an_id_answers_its_parents_call(tmp_path: Path) -> None:
    nameless = {"type": "tool_use", "name": "bash", "input": {}}
    answer = user([{"type": "tool_result", "content": "ok"}], "u2", parentUuid="a-m1")
    found = summary(session(tmp_path, assistant([nameless]), answer))
    assert (found["tool_calls"], found["tool_results"]) == (1, 1)


def test_what_the_vendor_runs_is_answered_in_the_response(tmp_path: Path) -> None:
    hit = {"type": "web_search_result", "title": "Docs", "url": "https://x.invalid"}
    record = session(
        tmp_path,
        assistant([
            {"type": "server_tool_use", "id": "srv1", "name": "web_search", "input": {"q": "a"}},
            {"type": "web_search_tool_result", "tool_use_id": "srv1", "content": [hit]},
            text("Found."),
        ], stop_reason="end_turn"),
    )  # fmt: skip
    assert record.results[0].text == "Docs https://x.invalid"
    assert (summary(record)["unresolved_calls"], record.turn) == (0, "ended")


@pytest.mark.parametrize(
    ("source", "block"),
    [
        ({"type": "base64", "media_type": "image/png", "data": "AAEC"},
         Block(IMAGE, media_type="image/png", data=b"\x00\x01\x02")),
        ({"type": "url", "url": "https://x.invalid/a.png"},
         Block("text", "https://x.invalid/a.png")),
        ({"type": "base64", "media_type": "image/png", "data": "A"},
         Block("text", "[image/png: not base64]")),
    ],
)  # fmt: skip
def test_pictures_are_decoded(source: dict[str, Any], block: Block, tmp_path: Path) -> None:
    record = session(tmp_path, user([{"type": "image", "source": source}]))
    assert record.messages[0].blocks == [block]
    assert record.messages[0].kind == "prompt"
