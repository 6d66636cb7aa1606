"""OpenCode: what its rows say, whatever state they are in."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sessions_app.agents.opencode import OpenCode
from sessions_app.records import IMAGE, TEXT, THINKING, SessionFacts
from tests.agents.fold import summary, totals
from tests.agents.opencode import NOW, Store, session, sessions, text, tool

PNG = base64.b64encode(b"\x89PNG bytes").decode()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_a_session_tells_what_its_rows_say(store: Store) -> None:
    store.session()
    store.prompt("msg_1", "Count the carts")
    parts = [
        {"type": "step-start", "snapshot": "abc"},
        {"type": "reasoning", "text": "First a look.\n"},
        text("Looking.\n"),
        tool(output="7", metadata={"exit": 0}, time={"start": NOW, "end": NOW + 5000}),
        {"type": "step-finish", "tokens": {"input": 4}, "cost": 0.25},
    ]
    store.answer("msg_2", *parts, parentID="msg_1")
    record = session(store.path)
    prompt, answer = record.messages
    assert (prompt.key, prompt.role, prompt.kind, prompt.at) == (
        "msg_1", "user", "prompt", datetime.fromtimestamp(NOW / 1000 + 2, UTC),
    )  # fmt: skip
    assert [(block.kind, block.text, block.name) for block in answer.blocks] == [
        (THINKING, "First a look.", ""),
        (TEXT, "Looking.", ""),
        ("tool_use", '{"command": "ls"}', "bash"),
    ]
    assert (answer.parent_key, answer.model, answer.kind) == ("msg_1", "m-1", "answer")
    [result] = record.results
    assert (result.text, result.is_error, result.exit_code) == ("7", False, 0)
    assert result.call_id == answer.blocks[2].call_id == "prt_msg_2_3"
    [usage] = record.usages
    assert (usage.input, usage.output, usage.reasoning) == (4, 4, 1)
    assert (usage.cache_read, usage.cache_write, usage.cost) == (2, 0, Decimal("0.25"))
    assert (record.title, record.prompt, record.work_dir) == (
        "Carts", "Count the carts", "/home/dev/shop",
    )  # fmt: skip
    assert (record.agent_version, record.turn, record.model) == ("1.18.33", "ended", "m-1")
    assert record.metadata == {"agent": "build", "provider": "p"}


@pytest.mark.parametrize(
    ("data", "turn", "error"),
    [
        ({}, "ended", ""),
        ({"finish": "length"}, "ended", ""),
        ({"finish": "tool-calls"}, "open", ""),
        ({"time": {"created": NOW + 9000}}, "open", ""),
        ({"error": {"name": "MessageAbortedError", "data": {"message": "no"}}}, "aborted", ""),
        ({"error": {"name": "APIError", "data": {"message": "no"}}}, "failed", "APIError: no"),
        ({"error": {"name": "Odd", "data": None}}, "failed", "Odd"),
        ({"error": "broken"}, "failed", "broken"),
    ],
)
def test_the_last_message_tells_how_the_turn_ended(
    data: dict[str, Any], turn: str, error: str, store: Store
) -> None:
    store.session()
    store.prompt("msg_1", "Go")
    store.answer("msg_2", text("Going."), **data)
    record = session(store.path)
    assert (record.turn, record.error) == (turn, error)
    assert record.messages[-1].kind == "answer"


def test_a_prompt_without_a_response_is_an_open_turn(store: Store) -> None:
    store.session()
    store.prompt("msg_1", "Go")
    assert session(store.path).turn == "open"


def test_a_failed_response_without_words_is_an_error(store: Store) -> None:
    store.session()
    store.answer("msg_1", error={"name": "APIError", "data": {"message": "no"}}, tokens=None)
    [message] = session(store.path).messages
    assert (message.kind, message.blocks[0].text) == ("error", "APIError: no")


def test_a_response_that_was_killed_before_its_first_word_says_nothing(store: Store) -> None:
    store.session()
    zero = {"input": 0, "output": 0, "reasoning": 0, "cache": {"read": 0, "write": 0}}
    store.answer("msg_1", {"type": "step-start"}, text(""), time={"created": NOW}, tokens=zero,
                 cost=0)  # fmt: skip
    record = session(store.path)
    assert (record.messages, record.usages, record.turn) == ([], [], "open")


@pytest.mark.parametrize(
    ("parts", "kinds", "files"),
    [
        ([text("Hi")], {"prompt": 1}, []),
        ([text("Hi"), text("Read a.py", synthetic=True)], {"prompt": 1, "injected": 1}, []),
        ([text("Continue", synthetic=True)], {"injected": 1}, []),
        ([text("only shown", ignored=True)], {"injected": 1}, []),
        ([{"type": "compaction", "auto": True}], {}, []),
        ([{"type": "agent", "name": "general"}, text("@general go")], {"prompt": 1}, []),
        ([{"type": "subtask", "prompt": "Check", "command": "review"}], {"prompt": 1}, []),
        ([{"type": "file", "filename": "a.txt", "url": "file:///a.txt"}], {"prompt": 1}, ["a.txt"]),
        ([{"type": "something new", "text": "?"}], {}, []),
    ],
)
def test_what_a_person_said_is_told_from_what_the_program_added(
    parts: list[dict[str, Any]], kinds: dict[str, int], files: list[str], store: Store
) -> None:
    store.session()
    store.message("msg_1", "user", *parts)
    record = session(store.path)
    assert summary(record)["kinds"] == kinds
    told = [message.metadata.get("files", []) for message in record.messages]
    assert files == (told[0] if told else [])


def test_a_sub_agent_is_linked_to_the_call_that_made_it(store: Store) -> None:
    store.session("ses_1")
    task = tool(name="task", metadata={"sessionId": "ses_2"})
    store.answer("msg_1", tool(output="ses_2 is another"), task)
    store.session("ses_2", parent_id="ses_1", agent="general")
    store.prompt("msg_2", "Count", to="ses_2")
    store.answer("msg_3", text("7"), to="ses_2")
    found = sessions(store.path)
    child = summary(found["ses_2"])
    assert (child["kind"], child["relations"]) == (
        "subagent", [["subagent", "ses_1", "prt_msg_1_1"]],
    )  # fmt: skip
    assert (child["kinds"], child["prompt"]) == ({"injected": 1, "answer": 1}, "Count")
    assert found["ses_1"].results[1].metadata == {"agent_id": "ses_2"}


def test_the_summary_of_a_compaction_is_no_answer(store: Store) -> None:
    store.session()
    store.answer("msg_1", text("So far..."), summary=True, agent="compaction")
    record = session(store.path)
    [message] = record.messages
    assert (message.kind, message.metadata) == ("compaction", {"agent": "compaction"})
    assert len(record.usages) == 1


def test_images_are_decoded_wherever_they_stand(store: Store) -> None:
    store.session()
    image = {"type": "file", "mime": "image/png", "url": f"data:image/png;base64,{PNG}"}
    broken = {"type": "file", "url": "data:image/png;base64,%%%A"}
    store.message("msg_1", "user", text("See"), image, broken)
    store.answer("msg_2", tool(attachments=[image, {"mime": "a/b", "url": "file:///x"}]))
    record = session(store.path)
    block = record.messages[0].blocks[1]
    assert (block.kind, block.media_type, block.data) == (IMAGE, "image/png", b"\x89PNG bytes")
    assert record.messages[0].blocks[2].text == "[image/png: not base64]"
    assert [item.data for item in record.results[0].images] == [b"\x89PNG bytes"]


@pytest.mark.parametrize(
    ("state", "answered", "is_error", "words"),
    [
        (tool("running"), False, False, ""),
        (tool("error", error="no such file"), True, True, "no such file"),
        (tool(output={"a": 1}), True, False, '{"a":1}'),
        (tool("success", output="old"), True, False, "old"),
        (tool(output="x", metadata={"exit": 2}), True, False, "x"),
    ],
)
def test_a_call_has_the_result_that_its_state_tells(
    state: dict[str, Any], answered: bool, is_error: bool, words: str, store: Store
) -> None:
    store.session()
    store.answer("msg_1", state)
    record = session(store.path)
    assert summary(record)["tool_calls"] == 1
    assert [(item.is_error, item.text) for item in record.results] == (
        [(is_error, words)] if answered else []
    )


@pytest.mark.parametrize(
    ("title", "told"),
    [
        ("Carts", "Carts"),
        ("New session - 2026-11-21T09:40:08.386Z", ""),
        ("Child session - 2026-11-21T09:40:08.386Z", ""),
        ("New session - about carts", "New session - about carts"),
        (None, ""),
    ],
)
def test_a_title_that_only_tells_the_time_is_none(
    title: str | None, told: str, store: Store
) -> None:
    store.session(title=title)
    assert session(store.path).title == told


@pytest.mark.parametrize(
    ("tokens", "cost", "expected"),
    [
        (None, None, None),
        ({}, 0, None),
        ({"input": 5}, 0, (5, 0, None, False)),
        ({"input": 5, "output": 2, "reasoning": 3}, 0.5, (5, 5, "0.5", False)),
        ({"input": -5, "output": 2}, {"usd": 1}, (0, 2, None, True)),
        ({"input": "many", "output": 10**30}, -1, (0, 0, None, True)),
        (["odd"], 0.5, (0, 0, "0.5", False)),
    ],
)
def test_tokens_and_cost_are_taken_only_when_they_are_possible(
    tokens: Any, cost: Any, expected: tuple[Any, ...] | None, store: Store
) -> None:
    store.session()
    store.answer("msg_1", text("x"), tokens=tokens, cost=cost)
    found = [
        (item.input, item.output, item.cost and str(item.cost.normalize()), item.flagged)
        for item in session(store.path).usages
    ]
    assert found == ([expected] if expected else [])


def test_bad_rows_are_told_and_cost_no_good_one(store: Store) -> None:
    store.session()
    store.prompt("msg_1", "Hi")
    store.answer("msg_2", text("one"), text("two"), tool())
    store.change("part", "prt_msg_2_0", '{"type": "text", "te')
    store.change("part", "prt_msg_2_2", '{"type": "tool", "tool": 5, "state": "odd"}')
    store.message("msg_3", "assistant", text("lost"))
    store.change("message", "msg_3", "[]")
    store.answer("msg_4", text("last \ud83d"))
    record = session(store.path)
    assert summary(record)["texts"] == ["Hi", "two", "last \ufffd"]
    assert [problem.reason.partition(":")[0] for problem in record.problems] == [
        "not JSON", "unexpected shape", "not an object but list",
    ]  # fmt: skip
    assert {problem.path for problem in record.problems} == {f"{store.path}#ses_1"}
    assert [problem.line for problem in record.problems] == [5, 7, 8]


def fork_once(store: Store) -> None:
    store.copy("ses_1", "ses_2")
    store.answer("msg_9", text("own"), to="ses_2")


def fork_without_going_on(store: Store) -> None:
    store.copy("ses_1", "ses_2")


def fork_of_the_beginning(store: Store) -> None:
    store.copy("ses_1", "ses_2", upto=2)
    store.prompt("msg_9", "Otherwise", to="ses_2")


def fork_of_a_fork(store: Store) -> None:
    fork_once(store)
    store.copy("ses_2", "ses_3")
    store.answer("msg_99", text("mine"), to="ses_3")


def fork_of_the_first_of_two(store: Store) -> None:
    fork_once(store)
    store.copy("ses_1", "ses_3")
    store.prompt("msg_99", "mine", to="ses_3")


def parent_that_goes_on(store: Store) -> None:
    fork_once(store)
    store.answer("msg_99", text("later"))


@pytest.mark.parametrize(
    ("make", "parents", "responses"),
    [
        (fork_once, {"ses_2": "ses_1"}, 3),
        (fork_without_going_on, {"ses_2": "ses_1"}, 2),
        (fork_of_the_beginning, {"ses_2": "ses_1"}, 2),
        (fork_of_a_fork, {"ses_2": "ses_1", "ses_3": "ses_2"}, 4),
        (fork_of_the_first_of_two, {"ses_2": "ses_1", "ses_3": "ses_1"}, 3),
        (parent_that_goes_on, {"ses_2": "ses_1"}, 4),
    ],
)
def test_a_fork_is_known_by_its_copies_which_count_once(
    make: Callable[[Store], None], parents: dict[str, str], responses: int, store: Store
) -> None:
    store.session("ses_0")
    store.answer("msg_0", text("another"), to="ses_0")
    store.session("ses_1")
    store.prompt("msg_1", "Hi")
    store.answer("msg_2", text("Hello"))
    store.answer("msg_3", text("Hello again"))
    make(store)
    found = sessions(store.path)
    told = {name: summary(record)["parent"] for name, record in found.items()}
    assert {name: parent for name, parent in told.items() if parent} == parents
    assert totals(found.values())["responses"] == responses + 1


def test_the_place_where_a_fork_parts_is_its_last_copy(store: Store) -> None:
    store.session()
    store.prompt("msg_1", "Hi")
    store.answer("msg_2", text("Hello"))
    store.answer("msg_3", text("Hello again"))
    store.copy("ses_1", "ses_2", upto=2)
    store.prompt("msg_9", "Otherwise", to="ses_2")
    [link] = sessions(store.path)["ses_2"].relations
    assert link.message_key == "msg_ses_2_1"


@pytest.mark.parametrize(
    ("facts", "prompt", "command"),
    [
        (
            ("ses_1", "/home/dev/it's"),
            None,
            "cd '/home/dev/it'\"'\"'s' && opencode --session ses_1",
        ),
        (("ses_1", ""), "go on; now", "opencode run --session ses_1 'go on; now'"),
        (("ses_1", ""), "-x", "opencode run --session ses_1 -- -x"),
        (("--evil", "/home"), None, None),
        (("ses_1", "/a\nb"), None, None),
    ],
)
def test_the_resume_command_is_quoted(
    facts: tuple[str, str], prompt: str | None, command: str | None
) -> None:
    own_id, folder = facts
    found = OpenCode().resume_command(SessionFacts("opencode", own_id, folder), prompt)
    assert found == command


def test_a_sub_agent_goes_on_only_inside_its_parent() -> None:
    facts = SessionFacts("opencode", "ses_2", "/home", kind="subagent")
    assert OpenCode().resume_command(facts, None) is None
