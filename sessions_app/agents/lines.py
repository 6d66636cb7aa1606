"""Lines of JSON, read so that one bad line never costs a good one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from sessions_app.agents.base import READ_SIZE, Line, SourceFile, UnreadableSession
from sessions_app.records import Position, Problem

MAX_LINE = 64 * 1024 * 1024
BOM = b"\xef\xbb\xbf"
SAMPLE = 160


def read_lines(source: SourceFile, after: Position | None = None) -> Iterator[Line]:
    """See SourceFile.lines. Splits on newline bytes only: U+2028 and friends stay inside."""
    start = after.offset if after else 0
    number = after.line if after else 0
    end = source.end = Position(offset=start, line=number, state=after.state if after else b"")
    try:
        handle = source.path.open("rb")
    except OSError as error:
        raise UnreadableSession(error.strerror or str(error)) from error
    with handle:
        handle.seek(start)
        offset, pending = start, b""
        while block := handle.read(READ_SIZE):
            if source.keep is not None:
                source.keep(source.path, offset + len(pending), block)
            pieces = block.split(b"\n")
            pieces[0] = pending + pieces[0]
            pending = pieces.pop()
            for piece in pieces:
                number += 1
                end.line, end.offset = number, offset + len(piece) + 1
                yield Line(_trim(piece, offset), offset, number)
                offset = end.offset
        if pending.strip() and _is_whole(pending):
            end.line, end.offset = number + 1, offset + len(pending)
            yield Line(_trim(pending, offset), offset, number + 1)


def _trim(piece: bytes, offset: int) -> bytes:
    if offset == 0 and piece.startswith(BOM):
        piece = piece[len(BOM) :]
    return piece[:-1] if piece.endswith(b"\r") else piece


def _is_whole(tail: bytes) -> bool:
    """A last line without newline is finished only when it already is a JSON object."""
    try:
        return isinstance(msgspec.json.decode(_trim(tail, -1)), dict)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return False


class LineReader:
    """Decodes lines into one struct type and collects what could not be decoded."""

    def __init__(self, source: SourceFile, kind: Any) -> None:
        self.path = str(source.path)
        self.kind = kind
        self.decode = msgspec.json.Decoder(kind).decode
        self.problems: list[Problem] = []

    def struct(self, line: Line) -> Any | None:
        """The decoded line; None for a blank or bad one, and the bad one is in `problems`."""
        if len(line.data) > MAX_LINE:
            return self.refuse(line, f"line of {len(line.data)} bytes, more than {MAX_LINE}")
        try:
            return self.decode(line.data)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            return self._second_try(line, error)

    def _second_try(self, line: Line, error: Exception) -> Any | None:
        if not line.data.strip():
            return None
        if isinstance(error, RecursionError):
            return self.refuse(line, "nested too deeply")
        text = line.data.decode("utf-8", "replace")
        try:
            # The standard library also takes lone surrogates and NaN, which agents do write.
            value = json.loads(text)
        except RecursionError:
            return self.refuse(line, "nested too deeply")
        except ValueError as second:
            return self.refuse(line, f"not JSON: {second}")
        if not isinstance(value, dict):
            return self.refuse(line, f"not an object but {type(value).__name__}")
        try:
            return msgspec.convert(value, self.kind, strict=False)
        except (msgspec.MsgspecError, RecursionError, ValueError) as second:
            return self.refuse(line, f"unexpected shape: {second}")

    def refuse(self, line: Line, reason: str) -> None:
        """Count this line as a problem, with its first bytes made printable."""
        sample = ascii(line.data[:SAMPLE].decode("utf-8", "replace"))[1:-1]
        self.problems.append(Problem(self.path, reason[:300], line.number, sample[:SAMPLE]))

    def take_problems(self) -> list[Problem]:
        """The problems since the last call."""
        taken, self.problems = self.problems, []
        return taken
