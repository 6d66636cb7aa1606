"""How words stand in the columns, and how they come back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sessions_app import packing
from sessions_app.records import CALL, IMAGE, TEXT, THINKING, Block

WORDS = st.text(st.characters(codec="utf-8") | st.sampled_from("\n\u2028 "), min_size=1)
BLOCKS = st.lists(
    st.builds(Block, st.sampled_from([TEXT, THINKING]), WORDS)
    | st.builds(Block, st.just(CALL), call_id=st.text())
    | st.builds(Block, st.just(IMAGE), data=st.binary())
)


@given(BLOCKS)
def test_pieces_come_back_in_the_order_in_which_they_were_said(blocks: list[Block]) -> None:
    text, thinking, layout = packing.lay_out(blocks)
    kinds = [block.kind for block in blocks]
    found = packing.pieces(
        text, thinking, layout, calls=kinds.count(CALL), images=kinds.count(IMAGE)
    )
    seen = {CALL: 0, IMAGE: 0}
    wanted = []
    for block in blocks:
        index = seen.get(block.kind, 0)
        wanted.append(packing.Piece(block.kind, block.text, index))
        if block.kind in seen:
            seen[block.kind] += 1
    assert found == wanted


def test_the_usual_order_needs_no_layout() -> None:
    usual = [Block(THINKING, "a"), Block(TEXT, "b"), Block(CALL), Block(CALL), Block(IMAGE)]
    assert packing.lay_out(usual) == ("b", "a", "")
    assert packing.lay_out([])[2] == ""
    assert packing.lay_out(usual[::-1])[2] != ""


@given(st.text(st.characters(codec="utf-8"), max_size=600))
def test_long_text_is_packed_and_whole(text: str) -> None:
    preview, packed, size = packing.pack_text(text)
    assert packing.unpack_text(preview, packed) == text
    assert (len(preview) <= packing.PREVIEW, size) == (True, len(text))
    assert (packed is None) == (len(text) <= packing.PREVIEW)


@given(st.binary(max_size=5000))
def test_bytes_are_packed_and_whole(data: bytes) -> None:
    assert packing.unpack(packing.pack(data)) == data
    assert packing.unpack(memoryview(packing.pack(data))) == data
