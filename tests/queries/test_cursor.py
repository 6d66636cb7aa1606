"""Cursors come back as they went, or are refused."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.queries.cursor import BrokenCursor, Cursor, KeyValue, read_cursor, write_cursor

KINDS: list[tuple[type[KeyValue], KeyValue]] = [
    (datetime, datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)),
    (Decimal, Decimal("0.253100001")),
    (int, 2**63 - 1),
    (float, 812.4000000000001),
]


@pytest.mark.parametrize(("kind", "value"), KINDS)
def test_what_is_written_is_read(kind: type[KeyValue], value: KeyValue) -> None:
    cursor = Cursor("-cost", True, value, 17, 50, 1001)
    assert read_cursor(write_cursor(cursor), "-cost", kind) == cursor


def test_a_cursor_belongs_to_its_order() -> None:
    text = write_cursor(Cursor("-cost", False, Decimal(1), 17, 50, 60))
    with pytest.raises(BrokenCursor):
        read_cursor(text, "cost", Decimal)


def packed(parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "%%%",
        "ünïcode",
        packed([]),
        packed({}),
        packed(["tokens", 0, "1", 1, 1]),
        packed(["tokens", 0, "x", 1, 1, 1]),
        packed(["tokens", 0, "1", -1, 1, 1]),
        packed(["tokens", 0, "1", True, 1, 1]),
        packed(["tokens", 0, str(2**63), 1, 1, 1]),
        packed(["tokens", 0, "1", 2**64, 1, 1]),
        packed([[[]], 0, "1", 1, 1, 1]),
    ],
)
def test_what_was_not_written_here_is_refused(text: str) -> None:
    with pytest.raises(BrokenCursor):
        read_cursor(text, "tokens", int)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (datetime, "2026-11-21T12:00:00"),
        (datetime, "99999-01-01"),
        (Decimal, "NaN"),
        (Decimal, "Infinity"),
        (Decimal, "-1"),
        (Decimal, "1e99"),
        (float, "nan"),
        (float, "inf"),
    ],
)
def test_impossible_values_are_refused(kind: type[KeyValue], value: str) -> None:
    with pytest.raises(BrokenCursor):
        read_cursor(packed(["-x", 0, value, 1, 1, 1]), "-x", kind)


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    for kind, _value in KINDS:
        with pytest.raises(BrokenCursor):
            read_cursor(text, "-x", kind)
