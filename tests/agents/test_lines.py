"""The line reader: whatever a file holds, its good lines come out, in order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions_app.agents import lines
from sessions_app.agents.base import READ_SIZE, SourceFile, UnreadableSession
from sessions_app.agents.lines import LineReader, parse, when
from sessions_app.records import Position

NEWLINES = (b"\n", b"\r\n")
IN_TMP = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Numbered(msgspec.Struct):
    """A line that is known again."""

    n: int
    text: str = ""


def good(number: int, text: str) -> bytes:
    return json.dumps({"n": number, "text": text}, ensure_ascii=False).encode("utf-8", "replace")


bad_lines = st.one_of(
    st.binary(max_size=60).filter(lambda data: b"\n" not in data and not _is_object(data)),
    st.sampled_from(
        [b"", b"  ", b"\0\0", b"null", b"[]", b'"x"', b"12", b"{", b"\xff\xfe", b"[" * 9000]
    ),
)
words = st.text(max_size=20) | st.sampled_from(["\u2028", "\u2029\x85", "a\x0bb\x0cc", "第一"])
contents = st.lists(st.one_of(words, bad_lines), max_size=12)


def _is_object(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data.decode("utf-8", "replace")), dict)
    except ValueError:
        return False


def file_of(contents: list[str | bytes], newline: bytes, bom: bool, end: bool) -> bytes:
    """The lines as bytes; every text becomes a good line with the next number."""
    raw = [
        good(number, item) if isinstance(item, str) else item
        for number, item in enumerate(contents)
    ]
    tail = newline if end and raw else b""
    return (lines.BOM if bom else b"") + newline.join(raw) + tail


def read(path: Path, after: Position | None = None) -> tuple[list[Numbered], LineReader, Position]:
    source = SourceFile(path, root=path.parent)
    reader = LineReader(source, Numbered)
    found = [item for line in source.lines(after) if (item := reader.struct(line)) is not None]
    return found, reader, source.end


@IN_TMP
@given(contents, st.sampled_from(NEWLINES), st.booleans(), st.booleans())
def test_good_lines_around_bad_ones_all_come_out_in_order(
    tmp_path: Path, contents: list[str | bytes], newline: bytes, bom: bool, end: bool
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(file_of(contents, newline, bom, end))
    found, reader, _ = read(path)
    texts = [(n, item) for n, item in enumerate(contents) if isinstance(item, str)]
    assert [(item.n, item.text) for item in found] == [
        (n, json.loads(good(n, item))["text"]) for n, item in texts
    ]
    good_numbers = {n + 1 for n, _ in texts}
    assert not good_numbers & {problem.line for problem in reader.problems}


@IN_TMP
@given(contents, st.sampled_from(NEWLINES), st.booleans(), st.data())
def test_a_file_cut_anywhere_reads_the_same_in_two_steps(
    tmp_path: Path, contents: list[str | bytes], newline: bytes, bom: bool, data: st.DataObject
) -> None:
    whole = file_of(contents, newline, bom, end=True)
    cut = data.draw(st.integers(0, len(whole)))
    path = tmp_path / "log.jsonl"
    path.write_bytes(whole)
    at_once, all_problems, end = read(path)

    path.write_bytes(whole[:cut])
    first, problems, position = read(path)
    path.write_bytes(whole)
    position = msgspec.msgpack.decode(msgspec.msgpack.encode(position), type=Position)
    second, more_problems, second_end = read(path, position)

    assert first + second == at_once
    assert problems.problems + more_problems.problems == all_problems.problems
    assert second_end == end
    assert end == Position(len(whole), len(contents)) or not contents


@given(st.lists(st.binary(max_size=30), max_size=8), st.integers(0, 40))
@IN_TMP
def test_every_byte_is_kept_once_and_in_order(
    tmp_path: Path, pieces: list[bytes], start: int
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(data := b"\n".join(pieces))
    kept = bytearray()

    def keep(_path: Path, offset: int, block: bytes) -> None:
        assert offset == min(start, len(data)) + len(kept)
        kept.extend(block)

    list(SourceFile(path, root=tmp_path, keep=keep).lines(Position(min(start, len(data)))))
    assert bytes(kept) == data[start:]


def test_lines_longer_than_a_block_come_out_whole(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    sizes = (READ_SIZE - 20, 3 * READ_SIZE, 5)
    path.write_bytes(b"\n".join(good(n, "x" * size) for n, size in enumerate(sizes)))
    found, reader, _ = read(path)
    assert [len(item.text) for item in found] == list(sizes)
    assert not reader.problems


def test_an_endless_line_is_refused_and_the_next_one_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 1000)
    path = tmp_path / "log.jsonl"
    path.write_bytes(good(1, "before") + b"\n" + b"x" * 4 * READ_SIZE + b"\n" + good(2, "after"))
    source = SourceFile(path, root=tmp_path)
    assert max(len(line.data) for line in source.lines()) < 2 * READ_SIZE
    found, reader, _ = read(path)
    assert [item.n for item in found] == [1, 2]
    assert [problem.reason for problem in reader.problems] == ["line of more than 1000 bytes"]


@pytest.mark.parametrize(
    ("tail", "is_read"),
    [
        (b'{"n": 2}', True),
        (b'{"n": 2}\r', True),
        (b'{"n": 2, "text": "\\ud800"}', True),
        (b'{"n": 2, "x": NaN}', True),
        (b'{"n": 2', False),
        (b'{"n": 2, "text": "\xe7', False),
        (b"[2]", False),
        (b"2", False),
        (b"  ", False),
    ],
)
def test_a_last_line_without_newline_is_read_only_when_it_is_whole(
    tail: bytes, is_read: bool, tmp_path: Path
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(good(1, "") + b"\n" + tail)
    found, reader, end = read(path)
    assert [item.n for item in found] == [1, 2][: 1 + is_read]
    assert not reader.problems
    assert end.offset == path.stat().st_size - (0 if is_read else len(tail))


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSession, match="No such file"):
        list(SourceFile(tmp_path / "gone.jsonl", root=tmp_path).lines())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{torn", "not JSON"),
        (b"[1]", "not an object but list"),
        (b"null", "not an object but NoneType"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"n":' * 100_000, "nested too deeply"),
        (b'{"n": "one"}', "unexpected shape"),
        (b'{"text": "no number"}', "unexpected shape"),
        (b"\x1b[2J\0", "not JSON"),
    ],
)
def test_a_problem_names_file_line_and_reason(line: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\n" + line + b"\n")
    _, reader, _ = read(path)
    (problem,) = reader.take_problems()
    assert (problem.path, problem.line) == (str(path), 2)
    assert problem.reason.startswith(reason)
    assert problem.sample.isprintable() and len(problem.sample) <= 160
    assert reader.take_problems() == []


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": NaN, "b": -Infinity}', {"a": "NaN", "b": "-Infinity"}),
        (b'{"a": 1e999}', {"a": "1e999"}),
        (b'{"a": ' + b"9" * 5000 + b"}", {"a": "9" * 64}),
        (b'{"a": "\\ud83d"}', {"a": "\ufffd"}),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        (b'{"a": "\xff"}', {"a": "\ufffd"}),
        (b'{"a": "\\u0000"}', {"a": "\u2400"}),
    ],
)
def test_what_cannot_be_stored_becomes_what_can(data: bytes, value: dict[str, Any]) -> None:
    assert parse(data) == value


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-07-01T10:00:01.250Z", "2026-07-01T10:00:01.250000+00:00"),
        ("2026-07-01T12:00:01+02:00", "2026-07-01T10:00:01+00:00"),
        ("2026-07-01T10:00:01.123456789Z", "2026-07-01T10:00:01.123456+00:00"),
        ("2026-07-01T10:00:01", "2026-07-01T10:00:01+00:00"),
        (1782900001, "2026-07-01T10:00:01+00:00"),
        (1782900001250, "2026-07-01T10:00:01.250000+00:00"),
        (1782900001.25, "2026-07-01T10:00:01.250000+00:00"),
        ("0001-01-01T00:00:00+14:00", None),
        ("soon", None),
        ("", None),
        (10**30, None),
        (float("nan"), None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_times_are_read_as_agents_write_them(written: object, moment: str | None) -> None:
    found = when(written)
    assert (found.isoformat() if found else None) == moment


def struct_of(raw: bytes, kind: Any, folder: Path) -> tuple[Any, LineReader]:
    path = folder / "log.jsonl"
    path.write_bytes(raw + b"\n")
    source = SourceFile(path, root=folder)
    reader = LineReader(source, kind)
    (line,) = source.lines()
    return reader.struct(line), reader


class Inner(msgspec.Struct):
    """A nested object."""

    words: str = ""


class Outer(msgspec.Struct):
    """A line with fields of every kind."""

    name: str | None = None
    inner: Inner | None = None
    items: list[Inner] = []


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"name": 5, "inner": {"words": "kept"}}', Outer(inner=Inner("kept"))),
        (b'{"name": "kept", "inner": {"words": []}}', Outer("kept", Inner())),
        (b'{"name": "kept", "inner": 7, "items": "x"}', Outer("kept")),
        (b'{"items": [{"words": "a"}, 5, {"words": "b"}]}', Outer(items=[Inner("a"), Inner("b")])),
    ],
)
def test_a_field_of_a_wrong_shape_costs_that_field_and_is_reported(
    raw: bytes, expected: Outer, tmp_path: Path
) -> None:
    found, reader = struct_of(raw, Outer, tmp_path)
    assert found == expected
    assert [problem.reason[:16] for problem in reader.problems] == ["unexpected shape"]


def test_a_line_that_is_wrong_all_over_is_given_up(tmp_path: Path) -> None:
    raw = b'{"items": [' + b",".join([b"5"] * 100) + b"]}"
    found, reader = struct_of(raw, Outer, tmp_path)
    assert found is None
    assert len(reader.problems) == 1


def test_a_forgiven_line_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"{torn\n{torn\n")
    source = SourceFile(path, root=tmp_path)
    reader = LineReader(source, Outer)
    for line in source.lines():
        reader.struct(line)
    reader.forgive(line)
    assert [problem.line for problem in reader.problems] == [1]


def test_of_a_binary_file_not_every_line_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "binary.jsonl"
    path.write_bytes(b"\xff\n" * (lines.MOST_LISTED + 50) + b'{"a": 1}\n')
    source = SourceFile(path, root=tmp_path)
    reader = LineReader(source, dict[str, int])
    good = [struct for line in source.lines() if (struct := reader.struct(line))]
    *listed, rest = reader.take_problems()
    assert (good, len(listed)) == ([{"a": 1}], lines.MOST_LISTED)
    assert (rest.line, rest.reason) == (
        201,
        "50 more lines from here to line 250 could not be read",
    )
    assert reader.take_problems() == []
