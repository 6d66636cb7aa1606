"""How numbers, money and times are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone, translation

from sessions_app import figures

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (1234, "1.2k"),
        (99_949, "99.9k"),
        (99_950, "100k"),
        (999_499, "999k"),
        (999_500, "1.0M"),
        (3_400_000, "3.4M"),
        (2_000_000_000, "2.0B"),
        (2**63 - 1, "9,223,372T"),
    ],
)
def test_large_numbers_are_short(number: int, text: str) -> None:
    assert figures.short(number) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (434_000_000, "434 MB"), (10**16, "10,000 TB")],
)
def test_sizes_are_decimal(count: int, text: str) -> None:
    assert figures.size(count) == text


@pytest.mark.parametrize(
    ("amount", "unpriced", "tokens", "text"),
    [
        ("0", 0, 0, "–"),
        ("0", 0, 10, "$0.00"),
        ("0", 3, 10, "no price"),
        ("0.2531", 0, 10, "$0.25"),
        ("0.003", 0, 10, "<$0.01"),
        ("0.01", 0, 10, "$0.01"),
        ("1234.5", 0, 10, "$1,234.50"),
        ("0.25", 1, 10, "≥ $0.25"),
        ("0.003", 1, 10, "≥ <$0.01"),
    ],
)
def test_a_cost_never_looks_more_complete_than_it_is(
    amount: str, unpriced: int, tokens: int, text: str
) -> None:
    assert figures.cost(Decimal(amount), unpriced=unpriced, tokens=tokens).text == text


def test_the_exact_cost_stands_in_the_title() -> None:
    assert figures.cost(Decimal("0.253100000"), tokens=1).title == "$0.2531"
    assert figures.cost(Decimal("100.000000000"), tokens=1).title == "$100"
    title = figures.cost(Decimal("0.25"), unpriced=2, tokens=1).title
    assert title == "At least $0.25: 2 responses are of models without a price"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-3, "0 s"),
        (59.4, "59 s"),
        (812.4, "13 min 32 s"),
        (7260, "2 h 1 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations_name_two_units(seconds: float, text: str) -> None:
    assert figures.duration(seconds) == text


@pytest.mark.parametrize(
    ("back", "text"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=3), "3 min ago"),
        (timedelta(hours=23), "23 h ago"),
        (timedelta(days=6), "6 d ago"),
        (timedelta(days=9), "12 Nov"),
        (timedelta(days=365), "21 Nov 2025"),
    ],
)
def test_ages_become_days_after_a_week(back: timedelta, text: str) -> None:
    assert figures.ago(NOW - back, NOW) == text


def test_chinese_has_its_own_order_of_words() -> None:
    with translation.override("zh-hans"):
        assert figures.ago(NOW - timedelta(minutes=3), NOW) == "3 分钟前"
        assert figures.ago(NOW - timedelta(days=365), NOW) == "2025年11月21日"


def test_times_are_those_of_the_reader() -> None:
    with timezone.override("Asia/Shanghai"):
        assert figures.exact_time(NOW) == "2026-11-21 20:00:00 CST"
