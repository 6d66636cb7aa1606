"""How words stand in the columns: pieces of a message in order, long tool text compressed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import zstandard

from sessions_app.records import CALL, IMAGE, TEXT, THINKING, Block

PREVIEW = 200  # characters that stand uncompressed
JOINT = "\n\n"  # between two pieces of one kind in one column


class Piece(NamedTuple):
    """One piece of a stored message: words (text, thinking) or the ordinal of a call or image."""

    kind: str
    text: str = ""
    ordinal: int = 0


def lay_out(blocks: Sequence[Block]) -> tuple[str, str, str]:
    """(text, thinking, layout) of blocks whose words are clean; see `pieces` for the way back."""
    words: dict[str, list[str]] = {TEXT: [], THINKING: []}
    order: list[tuple[str, int]] = []
    for block in blocks:
        if block.kind in words:
            words[block.kind].append(block.text)
        order.append((block.kind, len(block.text) if block.kind in words else 0))
    layout = "" if _is_usual(order) else msgspec.json.encode(order).decode()
    return JOINT.join(words[TEXT]), JOINT.join(words[THINKING]), layout


def _is_usual(order: list[tuple[str, int]]) -> bool:
    kinds = [kind for kind, _ in order]
    usual = [THINKING, TEXT, CALL, IMAGE]
    return (
        kinds == sorted(kinds, key=usual.index)
        and kinds.count(TEXT) <= 1
        and kinds.count(THINKING) <= 1
    )


def pieces(text: str, thinking: str, layout: str, *, calls: int, images: int) -> list[Piece]:
    """The pieces of a message in the order in which they were said."""
    if not layout:
        out = [Piece(THINKING, thinking)] if thinking else []
        out += [Piece(TEXT, text)] if text else []
        out += [Piece(CALL, ordinal=index) for index in range(calls)]
        return out + [Piece(IMAGE, ordinal=index) for index in range(images)]
    columns, at, count = {TEXT: text, THINKING: thinking}, {TEXT: 0, THINKING: 0}, [0, 0]
    out = []
    for kind, length in msgspec.json.decode(layout, type=list[tuple[str, int]]):
        if kind in columns:
            out.append(Piece(kind, columns[kind][at[kind] : at[kind] + length]))
            at[kind] += length + len(JOINT)
        else:
            which = 0 if kind == CALL else 1
            out.append(Piece(kind, ordinal=count[which]))
            count[which] += 1
    return out


def pack_text(text: str) -> tuple[str, bytes | None, int]:
    """(preview, packed, size in characters); packed is None when the preview holds it all."""
    if len(text) <= PREVIEW:
        return text, None, len(text)
    return text[:PREVIEW], pack(text.encode()), len(text)


def unpack_text(preview: str, packed: bytes | memoryview | None) -> str:
    """The whole text that `pack_text` took."""
    return preview if packed is None else unpack(packed).decode()


def pack(data: bytes) -> bytes:
    """zstd, level 1: on transcripts 0.257 of the input at twice the speed of level 3 (0.251)."""
    return _own.compressor.compress(data)


def unpack(data: bytes | memoryview) -> bytes:
    """The bytes that `pack` took; only for what we packed ourselves."""
    return _own.decompressor.decompress(bytes(data))


class _Own(threading.local):
    """One of each for a thread: making them costs as much as packing 3 kB, and they share badly."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=1)
        self.decompressor = zstandard.ZstdDecompressor()


_own = _Own()
