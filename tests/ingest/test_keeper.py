"""The bytes that a reader reads become pieces without gap or overlap."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app import packing
from sessions_app.actions.prepared import RawPiece
from sessions_app.ingest import keeper
from sessions_app.ingest.keeper import RawKeeper

MAIN = Path("/home/dev/x.jsonl")


@pytest.fixture(autouse=True, scope="module")
def small_pieces() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeper, "PIECE", 16)
        patch.setattr(keeper, "MOST_PENDING", 64)
        yield


def joined(pieces: list[RawPiece], start: int) -> bytes:
    out = b""
    for piece in pieces:
        assert piece.offset == start + len(out)
        data = packing.unpack(piece.data)
        assert len(data) == piece.size <= 16
        out += data
    return out


@given(st.binary(max_size=400), st.integers(0, 50), st.lists(st.integers(1, 90)), st.data())
def test_every_byte_is_given_once_and_before_it_is_needed(
    data: bytes, start: int, blocks: list[int], draw: st.DataObject
) -> None:
    keep, at, given_, upto = RawKeeper(MAIN), 0, b"", start
    for size in [*blocks, len(data)]:
        keep(MAIN, start + at, data[at : at + size])
        at = min(at + size, len(data))
        upto = draw.draw(st.integers(upto, start + at))
        given_ += joined(keep.take(upto, last=False), start + len(given_))
        assert given_ == data[: upto - start]
        if at == len(data):
            break
    given_ += joined(keep.take(upto, last=True), start + len(given_))
    assert given_ == data


def test_a_reader_that_goes_back_starts_anew() -> None:
    keep = RawKeeper(MAIN)
    keep(MAIN, 0, b"a" * 100)
    keep(MAIN, 0, b"b" * 10)
    assert joined(keep.take(10, last=True), 0) == b"b" * 10


def test_small_files_come_at_the_end_and_strangers_not_at_all() -> None:
    near, far = Path("/home/dev/x.meta.json"), Path("/home/dev/other")
    keep = RawKeeper(MAIN, (near,))
    keep(near, 0, b"first")
    keep(near, 0, b"again")
    keep(far, 0, b"stranger")
    keep(MAIN, 0, b"line\n")
    assert [piece.path for piece in keep.take(5, last=False)] == [str(MAIN)]
    [piece] = keep.take(5, last=True)
    assert (piece.path, packing.unpack(piece.data)) == (str(near), b"again")
