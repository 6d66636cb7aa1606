"""Whatever comes from outside can be stored, alike on both engines."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from sessions_app import border
from sessions_app.models import IngestRun, Tag, User

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ANY_TEXT = st.text(st.characters() | st.sampled_from("\0\ud83d\udc00\u2028\ufeff"))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT
    | st.just(-(2**63)) | st.just(10**4000) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner) | st.tuples(inner),
    max_leaves=20,
)  # fmt: skip
ANY_TIME = st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=12))])
)


class TestStored(TestCase):
    """Both engines keep what the border lets through as it is."""

    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    @given(ANY_TEXT, ANY_TEXT, ANY_JSON)
    def test_text_and_json(self, text: str, name: str, value: Any) -> None:
        clean = border.clean_text(text)
        tag = Tag.objects.create(name=border.clean_name(name, 100))
        user = User.objects.create(username="u", language="en", first_name=clean[:100])
        tag.refresh_from_db()
        user.refresh_from_db()
        assert user.first_name == clean[:100]
        assert tag.name == border.clean_name(name, 100)
        assert len(tag.name.encode()) <= 100
        stored = border.clean_json(value)
        assert json.loads(json.dumps(stored)) == msgspec.json.decode(msgspec.json.encode(stored))
        run = IngestRun.objects.create(
            status="done", host="h", started_at=NOW, heartbeat_at=NOW, roots=[stored]
        )
        run.refresh_from_db()
        assert same_numbers(run.roots) == same_numbers([stored])


def same_numbers(value: Any) -> Any:
    """PostgreSQL's jsonb gives a large float back as an integer."""
    if isinstance(value, list):
        return [same_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: same_numbers(item) for key, item in value.items()}
    return float(value) if isinstance(value, int | float) else value


@given(ANY_TEXT, st.integers(1, 40))
def test_text_fits_its_column(text: str, limit: int) -> None:
    assert len(border.clean_text(text, limit)) <= limit
    line = border.clean_line(text, limit)
    assert len(line) <= limit
    assert not set(line) & set("\n\r\t\0")


@given(ANY_TEXT, ANY_TEXT)
def test_two_names_stay_two(one: str, two: str) -> None:
    limit = 60
    if "\u2400" not in one + two:  # the sign for NUL may stand for itself
        assert (border.clean_name(one, limit) == border.clean_name(two, limit)) == (one == two)
    long = one + "x" * 400
    assert border.clean_name(long + "1", limit) != border.clean_name(long + "2", limit)


@pytest.mark.parametrize(
    ("value", "count", "is_count"),
    [
        (5, 5, True), (0, 0, True), (2**63 - 1, 2**63 - 1, True), (2**63, 0, False),
        (-1, 0, False), (1.9, 1, False), (math.nan, 0, False), (math.inf, 0, False),
        (1e30, 0, False), ("5", 0, False), (True, 0, False), (None, 0, True), ([], 0, False),
    ],
)  # fmt: skip
def test_counts(value: object, count: int, is_count: bool) -> None:
    assert border.clean_count(value) == count
    assert border.is_count(value) == is_count


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (0.1, "0.100000000"), ("0.25", "0.250000000"), (Decimal("1e-9"), "1E-9"), (3, "3"),
        (-1, None), (math.nan, None), ("sNaN", None), ("Infinity", None), ("a lot", None),
        (10**9, None), (10**5000, None), (True, None), ([], None), (None, None),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_money(value: object, amount: str | None) -> None:
    assert border.clean_money(value) == (None if amount is None else Decimal(amount))


@given(ANY_TIME)
def test_times_lie_between_1970_and_now(value: datetime) -> None:
    moment = border.clean_time(value, now=NOW)
    assert moment is None or border.EARLIEST <= moment <= NOW


def test_nesting_ends_somewhere() -> None:
    value: Any = "core"
    for _ in range(5000):
        value = [value]
    assert "core" not in json.dumps(border.clean_json(value))


def test_endless_integers_are_not_spelt_out() -> None:
    assert border.clean_json({"n": 10**5000}) == {"n": "16610 bits"}
    assert border.clean_json(10**100) == "1" + "0" * 63
