"""Claude Code: broken, huge and endless input costs itself and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sessions_app.agents.base import SourceFile, UnreadableSession
from sessions_app.agents.claude_code import ClaudeCode
from sessions_app.records import Position
from tests.agents.claude import assistant, log, session, text, user
from tests.agents.fold import summary


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
    lines = [assistant(f"{number} words") for number in range(5_000)]
    assert len(session(tmp_path, *lines).messages[0].blocks) == 5_000


@pytest.mark.parametrize(
    "lines",
    [[], [{"type": "summary", "summary": "Another's", "leafUuid": "u9"}], [{"type": "mode"}]],
)
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
