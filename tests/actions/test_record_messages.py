"""Messages, calls and results through the one door."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sessions_app import packing
from sessions_app.models import Attachment, Message, ToolCall
from sessions_app.records import CALL, IMAGE, TEXT, THINKING, Block, MessageRecord, ToolResult
from tests.actions.conftest import START, Recorder, only_session, said, told

pytestmark = pytest.mark.django_db


def calling(key: str, *calls: str, words: str = "") -> MessageRecord:
    blocks = [Block(TEXT, words)] if words else []
    blocks += [Block(CALL, '{"a": 1}', call_id, "Bash") for call_id in calls]
    return MessageRecord(key, "assistant", blocks, "answer", START)


def answered() -> list[tuple[str, str, bool]]:
    rows = ToolCall.objects.order_by("pk").values_list("call_id", "output_preview", "ended")
    return list(rows)


def test_a_result_that_comes_later_finds_its_call(tell: Recorder) -> None:
    tell(told(messages=[calling("m1", "c1", "c2")]))
    before = Message.objects.get().revision
    failed = ToolResult("c2", "no such file", is_error=True, exit_code=1, at=START)
    tell(told(results=[failed]))
    assert answered() == [("c1", "", False), ("c2", "no such file", True)]
    session = only_session()
    assert (session.tool_calls, session.tool_errors, session.open_tool_calls) == (2, 1, 1)
    assert Message.objects.get().revision > before


def test_a_result_that_is_told_again_changes_nothing(tell: Recorder) -> None:
    results = [ToolResult("c1", "first"), ToolResult("c1", "second")]
    tell(told(messages=[calling("m1", "c1")], results=results))
    tell(told(results=results[1:]))
    assert answered() == [("c1", "first", True)]


@pytest.mark.parametrize("at_once", [True, False])
def test_an_id_that_stands_for_several_calls_gets_each_result(
    tell: Recorder, at_once: bool
) -> None:
    turns = [
        told(messages=[calling(f"m{n}", "call_0")], results=[ToolResult("call_0", f"out {n}")])
        for n in (1, 2)
    ]
    if at_once:
        turns[0].messages += turns[1].messages
        turns[0].results += turns.pop().results
    for turn in turns:
        tell(turn)
    assert answered() == [("call_0", "out 1", True), ("call_0", "out 2", True)]


def test_results_without_a_call_are_kept_once_and_in_time(tell: Recorder) -> None:
    late = START + timedelta(minutes=1)
    lost = ToolResult("gone", "kept", at=START + timedelta(seconds=30))
    after = said("m2")
    after.at = late
    tell(told(messages=[said("m1"), after], results=[lost, lost]))
    tell(told(results=[lost]))
    assert list(Message.objects.order_by("seq").values_list("key", "role")) == [
        ("m1", "user"), ("result:gone", "tool"), ("m2", "user"),
    ]  # fmt: skip
    assert answered() == [("gone", "kept", True)]


def test_a_file_whose_own_message_is_called_like_an_orphan(tell: Recorder) -> None:
    tell(told(messages=[said("result:x")], results=[ToolResult("x", "lost and found")]))
    tell(told(results=[ToolResult("x", "again")]))
    assert Message.objects.get().text == "Hello"


def test_a_call_that_is_told_again_brings_its_result_and_its_grown_input(tell: Recorder) -> None:
    tell(told(messages=[calling("m1", "c1")]))
    grown = calling("m1", "c1", "c2")
    grown.blocks[0].text = '{"a": 1, "b": 2}'
    image = Block(IMAGE, media_type="image/png", data=b"png")
    tell(told(messages=[grown], results=[ToolResult("c1", "done", images=[image])]))
    assert answered() == [("c1", "done", True), ("c2", "", False)]
    assert ToolCall.objects.get(call_id="c1").input_preview == '{"a": 1, "b": 2}'
    assert Attachment.objects.get().call_id == "c1"


def test_a_message_grows_like_at_once(tell: Recorder) -> None:
    pieces = [
        [Block(THINKING, "Let me"), Block(TEXT, "")],
        [Block(THINKING, "Let me see"), Block(TEXT, "I look.")],
        [Block(CALL, "{}", "c1", "Read"), Block(TEXT, "I look. There.")],
        [Block(IMAGE, media_type="image/png", data=b"one"), Block(TEXT, "Done.")],
        [Block(IMAGE, media_type="image/png", data=b"one"), Block(THINKING, "Hm")],
    ]

    def records(identity: str) -> list[Any]:
        return [
            told(identity, messages=[MessageRecord("m1", "assistant", blocks, "answer", START,
                                                   metadata={f"k{n}": n}, model=f"model {n}")])
            for n, blocks in enumerate(pieces)
        ]  # fmt: skip

    for record in records("steps"):
        tell(record)
    whole, *rest = records("whole")
    whole.messages += [message for record in rest for message in record.messages]
    tell(whole)
    columns = ("text", "thinking", "layout", "metadata", "model")
    steps, at_once = (
        Message.objects.filter(session__identity=name).values_list(*columns).get()
        for name in ("steps", "whole")
    )
    assert steps == at_once
    shown = packing.pieces(*steps[:3], calls=1, images=1)
    assert [(piece.kind, piece.text) for piece in shown] == [
        (THINKING, "Let me see"), (TEXT, "I look. There."), (CALL, ""), (IMAGE, ""),
        (TEXT, "Done."), (THINKING, "Hm"),
    ]  # fmt: skip


def test_the_same_screenshot_of_two_calls_is_shown_twice(tell: Recorder) -> None:
    image = Block(IMAGE, media_type="image/png", data=b"screen")
    tell(told(messages=[calling("m1", "c1", "c2")]))
    for call in ("c1", "c2"):
        tell(told(results=[ToolResult(call, images=[image])]))
    assert list(Attachment.objects.values_list("call_id", "ordinal")) == [("c1", 0), ("c2", 1)]


@pytest.mark.parametrize("key", ["m\0", "k\ud800y", "é" * 300, "x" * 199 + "\0", "a" * 10_000])
def test_keys_that_no_column_holds_still_tell_messages_apart(tell: Recorder, key: str) -> None:
    """NUL, lone surrogates and endless ids, in every place where an id can stand."""
    calls = [Block(CALL, "{}", key, "Bash"), Block(CALL, "{}", key + "2", "Bash")]
    record = told(
        key,
        messages=[
            MessageRecord(key, "assistant", calls, "answer", START, parent_key=key),
            MessageRecord(key + "2", "user", [Block(TEXT, "more")], "prompt", START),
        ],
        results=[ToolResult(key + "2", "out"), ToolResult(key + "3", "orphan")],
        alias=f"clinvk:{key}",
        tags=[key[:40]],
        metadata={key: key},
    )
    for _ in range(2):
        tell(record, path="/home/dev/x.jsonl")
    assert Message.objects.count() == 3
    assert ToolCall.objects.count() == 3


def test_thousands_of_small_appends_keep_one_dense_conversation(tell: Recorder) -> None:
    for number in range(30):
        tell(told(messages=[said(f"m{number}")]))
    assert list(Message.objects.order_by("seq").values_list("key", flat=True)) == [
        f"m{number}" for number in range(30)
    ]


def test_an_append_reads_what_it_adds_and_not_what_is_there(
    tell: Recorder, django_assert_max_num_queries: Any
) -> None:
    tell(told(messages=[calling(f"m{n}", f"c{n}") for n in range(200)]))
    with django_assert_max_num_queries(90):
        tell(told(messages=[said("new")], results=[ToolResult("c7", "late")]))
