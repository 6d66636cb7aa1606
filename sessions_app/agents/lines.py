"""Lines of JSON, read so that one bad line never costs a good one."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO

import msgspec

from sessions_app import border
from sessions_app.agents.base import READ_SIZE, Line, SourceFile, UnreadableSession
from sessions_app.records import Position, Problem

MAX_LINE = 64 * 1024 * 1024
BOM = b"\xef\xbb\xbf"
SAMPLE = 160
MOST_REPAIRS = 20
MOST_LISTED = 200  # problems of one part; of a binary file every line is one
EPOCH_MS = 10**11  # a larger number of seconds would be after the year 5138
# Where msgspec found the wrong shape: "... - at `$.message.content[0].text`".
WRONG_PLACE = re.compile(r" - at `\$(.+)`$")
STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


def read_lines(source: SourceFile, after: Position | None = None) -> Iterator[Line]:
    """See SourceFile.lines. Splits on newline bytes only: U+2028 and friends stay inside."""
    start = after.offset if after else 0
    number = after.line if after else 0
    end = source.end = msgspec.structs.replace(after) if after else Position()
    try:
        handle = source.path.open("rb")
    except OSError as error:
        raise UnreadableSession(error.strerror or str(error)) from error
    with handle:
        is_rest = _starts_inside_a_line(handle, start)
        for piece, offset, size, is_finished in _split(source, handle, start):
            if piece.endswith(b"\r") or not offset:
                piece = _trim(piece, offset)
            if is_rest and not piece.strip():  # the newline of a last line read without it
                end.offset = offset + size
            elif is_finished or _is_whole(piece):
                number += not is_rest
                end.line, end.offset = number, offset + size
                yield Line(piece, offset, number)
            is_rest = False


def _starts_inside_a_line(handle: BinaryIO, start: int) -> bool:
    if start == 0:
        return False
    handle.seek(start - 1)
    return handle.read(1) not in (b"\n", b"")


def _split(
    source: SourceFile, handle: BinaryIO, start: int
) -> Iterator[tuple[bytes, int, int, bool]]:
    """Lines without newline: bytes, where they start, how many with it, and whether it was there.

    Of a line beyond MAX_LINE only the head is given: a file of one endless line must not fill
    the memory.
    """
    offset, head, size = start, bytearray(), 0
    while block := handle.read(READ_SIZE):
        if source.keep is not None:
            source.keep(source.path, offset + size, block)
        at = 0
        while (newline := block.find(b"\n", at)) >= 0:
            piece = block[at:newline]
            if head:
                piece = bytes(head + piece)
                head.clear()
            size += newline + 1 - at
            yield piece, offset, size, True
            offset, at, size = offset + size, newline + 1, 0
        size += len(block) - at
        head += block[at : at + max(MAX_LINE + 1 - len(head), 0)]
    if size:
        yield bytes(head), offset, size, False


def _trim(piece: bytes, offset: int) -> bytes:
    if offset == 0 and piece.startswith(BOM):
        piece = piece[len(BOM) :]
    return piece[:-1] if piece.endswith(b"\r") else piece


def _is_whole(tail: bytes) -> bool:
    """A last line without newline is finished only when it already is a JSON object."""
    if not tail.rstrip().endswith(b"}"):
        return False
    try:
        return isinstance(parse(tail), dict)
    except (ValueError, RecursionError):
        return False


def parse(data: bytes) -> Any:
    """Any JSON, taken as leniently as agents write it: lone surrogates, NaN, endless integers.

    What cannot be stored becomes what can: a broken byte U+FFFD, an impossible number its text.
    """
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        text = data.decode("utf-8", "replace")
        value = json.loads(
            text, parse_constant=str, parse_int=_whole_number, parse_float=_real_number
        )
    return border.clean_json(value)


def when(value: object) -> datetime | None:
    """A time as agents write it: ISO 8601 (UTC where no zone is told), or epoch s or ms."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is UTC:
                return moment
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if abs(value) > EPOCH_MS else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _whole_number(digits: str) -> int | str:
    return int(digits) if len(digits) <= 20 else digits[:64]


def _real_number(digits: str) -> float | str:
    value = float(digits)
    return value if math.isfinite(value) else digits[:64]


class LineReader:
    """Decodes lines into one struct type and collects what could not be decoded."""

    def __init__(self, source: SourceFile, kind: Any) -> None:
        self.path = str(source.path)
        self.kind = kind
        self.decode = msgspec.json.Decoder(kind).decode
        self.problems: list[Problem] = []
        self.unlisted: list[int] = []  # first and last line and how many, of those beyond

    def struct(self, line: Line) -> Any | None:
        """The decoded line; None for a blank or bad one, and the bad one is in `problems`."""
        if len(line.data) > MAX_LINE:
            self.refuse(line, f"line of more than {MAX_LINE} bytes")
            return None
        try:
            return self.decode(line.data)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return self._second_try(line) if line.data.strip() else None

    def _second_try(self, line: Line) -> Any | None:
        try:
            value = parse(line.data)
        except RecursionError:
            self.refuse(line, "nested too deeply")
        except ValueError as error:
            self.refuse(line, f"not JSON: {error}")
        else:
            if isinstance(value, dict):
                return self._repaired(line, value)
            self.refuse(line, f"not an object but {type(value).__name__}")
        return None

    def _repaired(self, line: Line, value: dict[str, Any]) -> Any | None:
        """The line without its fields of an unexpected shape, which are reported."""
        for _ in range(MOST_REPAIRS):
            try:
                return self.decode(msgspec.json.encode(value))
            except (msgspec.MsgspecError, RecursionError) as error:
                self.refuse(line, f"unexpected shape: {error}")
                place = WRONG_PLACE.search(str(error))
                if place is None or not _drop(value, place[1]):
                    break
        return None

    def refuse(self, line: Line, reason: str) -> None:
        """Count this line as a problem, with its first bytes made printable."""
        if self.problems and self.problems[-1].line == line.number:
            return  # one problem a line is enough
        if len(self.problems) >= MOST_LISTED:
            self._count(line)
            return
        sample = ascii(line.data[:SAMPLE].decode("utf-8", "replace"))[1:-1]
        self.problems.append(Problem(self.path, reason[:300], line.number, sample[:SAMPLE]))

    def forgive(self, line: Line) -> None:
        """Take back what was said of this line: nothing of it is used."""
        if self.unlisted and self.unlisted[1] == line.number:
            self.unlisted[2] -= 1
        elif self.problems and self.problems[-1].line == line.number:
            self.problems.pop()

    def _count(self, line: Line) -> None:
        first, last, count = self.unlisted or (line.number, 0, 0)
        self.unlisted = [first, line.number, count + (last != line.number)]

    def take_problems(self) -> list[Problem]:
        """The problems since the last call."""
        taken, self.problems = self.problems, []
        if self.unlisted and self.unlisted[2]:
            first, last, count = self.unlisted
            reason = f"{count} more lines from here to line {last} could not be read"
            taken.append(Problem(self.path, reason, first))
        self.unlisted = []
        return taken


def _drop(value: Any, place: str) -> bool:
    """Remove from `value` what stands at `place` (".message.content[0]")."""
    steps = [int(index) if index else name for name, index in STEP.findall(place)]
    try:
        for step in steps[:-1]:
            value = value[step]
        del value[steps[-1]]
    except (LookupError, TypeError):
        return False
    return True
