"""Claude Code: what lines of every kind say."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sessions_app.agents.base import PART_SIZE, SourceFile, UnreadableSession
from sessions_app.agents.claude_code import ClaudeCode
from sessions_app.records import (
    CALL,
    IMAGE,
    TITLE_AGENT,
    TITLE_CUSTOM,
    TITLE_SUMMARY,
    Block,
    Position,
    SessionRecord,
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


def title(kind: str, words: str) -> dict[str, Any]:
    return {"type": f"{kind}-title", f"{kind}Title": words}


def leaf(words: str, uuid: str) -> dict[str, Any]:
    return {"type": "summary", "summary": words, "leafUuid": uuid}


RENAME = "<command-name>/rename</command-name><command-args>Given by hand</command-args>"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([user("hi")], ("", 0)),
        ([user("hi"), title("ai", "A"), title("ai", "B")], ("B", TITLE_AGENT)),
        ([user("hi"), title("custom", "C"), title("ai", "A")], ("C", TITLE_CUSTOM)),
        ([user("hi"), title("ai", "A"), title("custom", "  ")], ("A", TITLE_AGENT)),
        ([user("hi"), user(RENAME, "u2")], ("Given by hand", TITLE_CUSTOM)),
        ([user("hi"), {"type": "system", "subtype": "local_command", "content": RENAME}],
         ("Given by hand", TITLE_CUSTOM)),
        ([leaf("Another session's", "u9"), user("hi")], ("", 0)),
        ([leaf("Ours", "u1"), user("hi")], ("Ours", TITLE_SUMMARY)),
        ([user("hi"), leaf("Ours", "u1"), leaf("Another's", "u9")], ("Ours", TITLE_SUMMARY)),
        ([leaf("First", "u2"), leaf("Last", "u1"), user("hi"), user("ho", "u2")],
         ("Last", TITLE_SUMMARY)),
        ([leaf("Ours", "u1"), title("ai", "A"), user("hi")], ("A", TITLE_AGENT)),
    ],
)  # fmt: skip
def test_the_best_title_wins_however_the_reading_is_cut(
    lines: list[dict[str, Any]], expected: tuple[str, int], tmp_path: Path
) -> None:
    for cut in range(len(lines) + 1):
        path = log(tmp_path, *lines[:cut])
        source = SourceFile(path, root=tmp_path)
        parts = list(ClaudeCode().read(source, None))
        log(tmp_path, *lines)
        parts += ClaudeCode().read(source, source.end)
        (record,) = fold(parts).values()
        assert (record.title, record.title_rank) == expected, cut


def test_facts_of_the_session(tmp_path: Path) -> None:
    record = session(
        tmp_path,
        user(REMINDER, "u0", cwd="/work", timestamp="2026-07-01T10:00:05Z", gitBranch="main"),
        user("first", "u1", timestamp="2026-07-01T12:00:01+02:00", cwd="/else", version="2.1.0"),
        user("second", "u2", timestamp="not a time", gitBranch="topic"),
        {"type": "pr-link", "prNumber": 7, "prUrl": "https://x.invalid/7", "prRepository": "a/b"},
        {"type": "pr-link", "prNumber": 7, "prUrl": "https://x.invalid/7", "prRepository": "a/b"},
    )
    assert (record.work_dir, record.git_branch, record.agent_version) == ("/work", "topic", "2.1.0")
    assert record.prompt == "first"
    assert record.created_at is not None and record.created_at.isoformat()[11:19] == "10:00:01"
    assert record.last_active is not None and record.last_active.isoformat()[11:19] == "10:00:05"
    assert record.metadata["pull_requests"] == [
        {"number": 7, "url": "https://x.invalid/7", "repository": "a/b"}
    ]


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


@pytest.mark.parametrize(
    ("line", "texts", "problems"),
    [
        (b'{"type":"user","uuid":"u2","message":{"content":"half \\ud83d"}}', ["half \ufffd"], 0),
        (b'{"type":"user","uuid":"u2","message":{"content":"a\\u0000b"}}', ["a\0b"], 0),
        (b'{"type":"user","uuid":"u2","message":{"content":"\xff"}}', ["\ufffd"], 0),
        (b'{"type":"user","uuid":"u2","x":NaN,"message":{"content":"nan"}}', ["nan"], 0),
        ("{\"type\":\"user\",\"uuid\":\"u2\",\"message\":{\"content\":\"a\u2028b\"}}".encode(),
         ["a\u2028b"], 0),
        # One field of a wrong shape costs that field.
        (user("kept", "u2", isMeta="no"), ["kept"], 1),
        (user([7, text("kept"), []], "u2"), ["kept"], 1),
        (user("kept", 5, cwd=["/x"]), ["kept"], 1),  # type: ignore[arg-type]
        (user({"no": "content"}, "u2"), [], 1),
        # A line that is no line costs itself.
        (b"{torn", [], 1),
        (b"[1, 2]", [], 1),
        (b'"words"', [], 1),
        (b"[" * 100_000, [], 1),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, [], 1),
        (b"\0\0\0", [], 1),
        (b"   ", [], 0),
    ],
)  # fmt: skip
def test_a_bad_line_never_costs_a_good_one(
    line: dict[str, Any] | bytes, texts: list[str], problems: int, tmp_path: Path
) -> None:
    record = session(tmp_path, user("before", "u1"), line, user("after", "u3"))
    found = ["".join(block.text for block in message.blocks) for message in record.messages]
    assert [item.replace("\u2400", "\0") for item in found] == ["before", *texts, "after"]
    assert len(record.problems) == problems
    assert all(problem.line == 2 and problem.reason for problem in record.problems)


def test_a_number_without_end_counts_as_nothing_and_is_flagged(tmp_path: Path) -> None:
    line = (
        b'{"type":"assistant","uuid":"a","message":{"id":"m","content":"x","usage":{"input_tokens":'
    )
    record = session(tmp_path, line + b"9" * 5000 + b',"output_tokens":3}}}')
    assert [(u.input, u.output, u.flagged) for u in record.usages] == [(0, 3, True)]
    assert summary(record)["texts"] == ["x"]


@pytest.mark.parametrize("megabytes", [2, 24])
def test_a_huge_line_is_read_like_any_other(megabytes: int, tmp_path: Path) -> None:
    words = "x" * (megabytes * 1024 * 1024)
    record = session(tmp_path, user("before"), assistant(words), user("after", "u3"))
    sizes = [sum(len(block.text) for block in message.blocks) for message in record.messages]
    assert sizes == [6, len(words), 5]


def test_one_response_on_many_lines_is_read_in_good_time(tmp_path: Path) -> None:
    lines = [assistant(f"{number} words") for number in range(20_000)]
    assert len(session(tmp_path, *lines).messages[0].blocks) == 20_000


@pytest.mark.parametrize("lines", [[], [leaf("Another's", "u9")], [{"type": "mode"}]])
def test_a_log_without_messages_waits_from_its_start(
    lines: list[dict[str, Any]], tmp_path: Path
) -> None:
    source = SourceFile(log(tmp_path, *lines), root=tmp_path)
    assert list(ClaudeCode().read(source, None)) == []
    assert source.end == Position()


@pytest.mark.parametrize("lines", [[b"not a log"], [b"\x89PNG\r\n\x1a\n", {"type": "mode"}]])
def test_a_file_that_is_no_log_says_so(lines: list[dict[str, Any] | bytes], tmp_path: Path) -> None:
    source = SourceFile(log(tmp_path, *lines), root=tmp_path)
    with pytest.raises(UnreadableSession, match="line 1"):
        list(ClaudeCode().read(source, None))


def test_nothing_new_yields_nothing_and_keeps_the_place(tmp_path: Path) -> None:
    source = SourceFile(log(tmp_path, user("hi")), root=tmp_path)
    assert len(list(ClaudeCode().read(source, None))) == 1
    place = source.end
    assert list(ClaudeCode().read(source, place)) == []
    assert source.end == place


def test_a_position_of_another_version_starts_again(tmp_path: Path) -> None:
    source = SourceFile(log(tmp_path, user("hi")), root=tmp_path)
    whole = list(ClaudeCode().read(source, None))
    assert list(ClaudeCode().read(source, Position(40, 1, 99, b"old"))) == whole


def subagent(folder: Path, place: str, meta: str | None, **more: Any) -> SessionRecord:
    path = log(folder, user("count", isSidechain=True, **more), name=f"{place}agent-7")
    if meta is not None:
        path.with_suffix(".meta.json").write_text(meta)
    (record,) = fold(read(path)).values()
    return record


META = '{"agentType": "Explore", "description": "count files", "toolUseId": "t1"}'


@pytest.mark.parametrize(
    ("place", "meta", "call_id"),
    [
        ("parent/subagents/", META, "t1"),
        ("parent/subagents/workflows/wf1/", META, "t1"),
        ("parent/subagents/", None, ""),
        ("", None, ""),
    ],
)
def test_a_subagent_names_its_parent(
    place: str, meta: str | None, call_id: str, tmp_path: Path
) -> None:
    record = subagent(tmp_path, place, meta, sessionId="parent")
    assert (record.identity, record.kind, record.turn) == ("parent/agent-7", "subagent", "open")
    assert summary(record)["relations"] == [["subagent", "parent", call_id]]
    assert record.title == ("count files" if meta else "")
    assert record.metadata == ({"agent_type": "Explore"} if meta else {})


def test_a_broken_fact_file_is_reported_and_costs_nothing_else(tmp_path: Path) -> None:
    record = subagent(tmp_path, "parent/subagents/", "{torn")
    assert [problem.path[-10:] for problem in record.problems] == [".meta.json"]
    assert summary(record)["relations"] == [["subagent", "parent", ""]]
