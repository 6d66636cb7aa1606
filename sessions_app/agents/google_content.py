"""The content of a message in the form of Google's API, which Gemini CLI and Qwen Code keep."""

from __future__ import annotations

import binascii
import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from sessions_app.agents.lines import parse
from sessions_app.records import CALL, IMAGE, TEXT, THINKING, Block, ToolResult

EXIT_CODE = re.compile(r"Exit Code: (\d{1,9})$", re.MULTILINE)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
FAILED = ("error", "cancelled")


class FunctionCall(msgspec.Struct, gc=False):
    """A tool call that the model asks for."""

    id: str | None = None
    name: str | None = None
    args: msgspec.Raw = msgspec.Raw()


class FunctionResponse(msgspec.Struct, gc=False):
    """What a tool answered."""

    id: str | None = None
    name: str | None = None
    response: msgspec.Raw = msgspec.Raw()


class InlineData(msgspec.Struct, rename="camel", gc=False):
    """Bytes of an image in base64."""

    mime_type: str | None = None
    data: str | None = None


class FileData(msgspec.Struct, rename="camel", gc=False):
    """A file that lies with the vendor."""

    mime_type: str | None = None
    file_uri: str | None = None


class Part(msgspec.Struct, rename="camel", gc=False):
    """One part of a content, of any type; `thought` marks a text as reasoning."""

    text: str | None = None
    thought: Any = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    inline_data: InlineData | None = None
    file_data: FileData | None = None


Content = list[Part | str] | Part | str | None


class Said(msgspec.Struct):
    """One content: its blocks in order, and the results that it carries."""

    blocks: list[Block]
    results: list[ToolResult]

    def text(self) -> str:
        """The words, without reasoning."""
        return "\n".join(block.text for block in self.blocks if block.kind == TEXT)

    @property
    def has_call(self) -> bool:
        """Whether a tool is called in it."""
        return any(block.kind == CALL for block in self.blocks)


def said(content: Content, own_id: str, at: datetime | None) -> Said:
    """`own_id` names calls and results that have no id of their own.

    What stands beside a tool's result belongs to the result: images and further text.
    """
    out = Said([], [])
    for index, part in enumerate(parts_of(content)):
        if part.function_response is not None:
            out.results.append(_result(part.function_response, f"{own_id}:{index}", at))
        elif part.function_call is not None:
            call = part.function_call
            words = bytes(call.args).decode("utf-8", "replace")
            out.blocks.append(Block(CALL, words, call.id or f"{own_id}:{index}", call.name or ""))
        else:
            out.blocks += _plain(part)
    if out.results:
        out.results[-1].images = [block for block in out.blocks if block.kind == IMAGE]
        out.blocks = [block for block in out.blocks if block.kind != IMAGE]
    return out


def parts_of(content: Content) -> Iterator[Part]:
    """Every way of writing a content, as parts."""
    if content is None:
        return
    for part in content if isinstance(content, list) else [content]:
        yield Part(text=part) if isinstance(part, str) else part


def _plain(part: Part) -> list[Block]:
    if part.text:
        return [Block(THINKING if part.thought else TEXT, part.text)]
    if part.file_data is not None and part.file_data.file_uri:
        return [Block(TEXT, part.file_data.file_uri)]
    inline = part.inline_data
    if inline is None or not inline.data:
        return []
    kind = inline.mime_type or ""
    try:
        return [Block(IMAGE, media_type=kind, data=binascii.a2b_base64(inline.data))]
    except ValueError:
        return [Block(TEXT, f"[{kind or 'image'}: not base64]")]


def _result(answer: FunctionResponse, spare_id: str, at: datetime | None) -> ToolResult:
    text, is_error = response_text(answer.response)
    return ToolResult(answer.id or spare_id, text, is_error, at, exit_code=exit_code(text))


class Answer(msgspec.Struct, gc=False):
    """The usual form of a response."""

    output: str | None = None
    error: str | None = None


def response_text(raw: msgspec.Raw) -> tuple[str, bool]:
    """What a tool answered as text, and whether it says that it failed."""
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
        answer = ANSWER.decode(raw)
        if answer.output is not None or answer.error is not None:
            text = answer.output if answer.output is not None else answer.error
            return text or "", answer.output is None
    try:
        value = parse(bytes(raw)) if bytes(raw) else None
    except (ValueError, RecursionError):
        return bytes(raw).decode("utf-8", "replace"), False
    if isinstance(value, str) or value is None:
        return value or "", False
    return json.dumps(value, ensure_ascii=False, indent=2), False


ANSWER = msgspec.json.Decoder(Answer)


def exit_code(text: str) -> int | None:
    """The exit code that the shell tool writes below its output."""
    place = text.rfind("Exit Code: ")
    found = EXIT_CODE.match(text, place) if place == 0 or text[place - 1 : place] == "\n" else None
    return int(found[1]) if found else None


def unique(name: str, session: str) -> str:
    """`name` where it is unique by itself, else within its session."""
    return name if UUID.search(name) else f"{session}/{name}"


def with_status(results: Sequence[ToolResult], call_id: str | None, status: str | None) -> None:
    """Mark the result of this call as failed where its status says so."""
    for result in results:
        if status in FAILED and result.call_id == call_id:
            result.is_error = True
