"""What crosses from the parser process to the writer: columns, ready to be inserted."""

from __future__ import annotations

from datetime import datetime

import msgspec

from sessions_app.records import Problem, SessionRecord


class PreparedCall(msgspec.Struct, array_like=True):
    """A tool call with its result, if that is known already."""

    call_id: str
    name: str
    input_preview: str
    input_packed: bytes | None
    input_size: int
    output_preview: str = ""
    output_packed: bytes | None = None
    output_size: int = 0
    is_error: bool = False
    exit_code: int | None = None
    ended: bool = False
    ended_at: datetime | None = None
    metadata: str = ""
    found: tuple[str, str] | None = None  # its entry in the search index; None = see the row


class PreparedImage(msgspec.Struct, array_like=True):
    """An image of a message; `call_id` when a tool's result held it."""

    media_type: str
    data: bytes
    call_id: str = ""


class PreparedMessage(msgspec.Struct, array_like=True):
    """A message without its place in the session."""

    key: str
    parent_key: str
    role: str
    kind: str
    model: str
    text: str
    thinking: str
    layout: str
    metadata: str
    at: datetime | None
    calls: list[PreparedCall]
    images: list[PreparedImage]
    found: tuple[str, str] | None = None  # its entry in the search index; None = see the row


class PreparedResult(msgspec.Struct, array_like=True):
    """A result whose call stands in an earlier reading; the call's output columns."""

    call: PreparedCall
    images: list[PreparedImage]


class PreparedSession(msgspec.Struct, array_like=True):
    """A session record whose messages and results have become columns.

    `replace`: the file was rewritten or is read anew, so that its conversation replaces what
    is stored; message ids stay with their keys.
    """

    record: SessionRecord
    messages: list[PreparedMessage]
    results: list[PreparedResult]
    replace: bool = False


class RawPiece(msgspec.Struct, array_like=True):
    """Up to 1 MiB of a file's bytes, compressed."""

    path: str
    offset: int
    size: int
    sha256: bytes
    data: bytes


class FileState(msgspec.Struct, array_like=True):
    """A file as it was on disk when it was read, and how far it was read."""

    path: str
    main_path: str
    size: int
    mtime_ns: int
    offset: int = 0
    line: int = 0
    reader_version: int = 0
    reader_state: bytes = b""
    head_size: int = 0
    head_hash: str = ""
    tail_hash: str = ""
    failed: bool = False


class FilePart(msgspec.Struct, array_like=True):
    """One part of one source file: what it said and the bytes that said it."""

    source: str
    files: list[FileState]
    pieces: list[RawPiece]
    sessions: list[PreparedSession]
    size: int = 0  # bytes that were read for it
    rewritten: bool = False
    is_last: bool = True
    failure: str = ""  # the file could not be read at all, and why
    is_same: bool = False  # the file is read anew, though nothing in it has changed

    @property
    def path(self) -> str:
        """The main file's."""
        return self.files[0].path if self.files else ""

    def problems(self) -> list[Problem]:
        """Everything in this part that could not be read."""
        told = [problem for item in self.sessions for problem in item.record.problems]
        return [*told, Problem(self.path, self.failure)] if self.failure else told
