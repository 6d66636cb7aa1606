"""Prices of our own, their order, and that a change holds for the next response everywhere."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from sessions_app.actions.prices import PriceBook, delete_prices, price_book, save_price
from sessions_app.actions.tokens import UsageRow
from sessions_app.models import AuditEntry, ModelAlias, PriceOverride, Usage, User
from sessions_app.prices import price_usage
from tests.actions.conftest import Recorder, billed, told

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
M = 1_000_000


def override(by: User, model: str, rate: int | str = 1, **more: Any) -> PriceOverride:
    row = PriceOverride(model=model, input=rate, output=rate, **more)
    save_price(row, by=by)
    return row


def usage(model: str, at: datetime = NOON, backend: str = "claude", **tokens: Any) -> UsageRow:
    return UsageRow(0, "k", backend, None, model, at, **(tokens or {"input": M}))


def cost(model: str, **more: Any) -> Decimal | None:
    return price_book().price(usage(model, **more))


def test_a_price_of_our_own_beats_the_shipped_one(owner: User) -> None:
    shipped = cost("claude-opus-4-5")
    assert shipped == Decimal(5)
    row = override(owner, "Claude-Opus-4-5", "7.25")
    assert cost("claude-opus-4-5") == Decimal("7.25")
    assert cost("claude-opus-4-5[1m]") == Decimal("7.25")
    delete_prices([row], by=owner)
    assert cost("claude-opus-4-5") == shipped


def test_each_kind_of_token_has_its_rate(owner: User) -> None:
    row = PriceOverride(
        model="house", input=1, output=20, cache_read="0.3", cache_write=40,
        cache_write_1h=500,
    )  # fmt: skip
    save_price(row, by=owner)
    tokens = {"input": M, "output": M, "cache_read": M, "cache_write": 3 * M, "cache_write_1h": M}
    assert cost("house", **tokens) == Decimal("601.3")
    assert cost("house", input=1) == Decimal("0.000001")


def test_what_is_left_empty_costs_as_its_parent_kind(owner: User) -> None:
    override(owner, "house", 2)
    assert cost("house", cache_read=M, cache_write=2 * M, cache_write_1h=M) == Decimal(6)
    override(owner, "other", 2, cache_write=3)
    assert cost("other", cache_write=2 * M, cache_write_1h=M) == Decimal(6)


def test_free_is_a_price_and_none_is_not(owner: User) -> None:
    assert cost("house") is None
    assert not price_book().knows("house")
    override(owner, "house", 0)
    assert cost("house") == Decimal(0)
    assert price_book().knows("house")


@pytest.mark.parametrize(
    ("day", "expected"), [(1, 5), (14, 5), (15, 6), (31, 6)], ids=["before", "eve", "day", "after"]
)
def test_a_price_holds_from_its_day_on(owner: User, day: int, expected: int) -> None:
    override(owner, "claude-opus-4-5", 4, effective_from=date(2026, 6, 1))
    override(owner, "claude-opus-4-5", 6, effective_from=date(2026, 3, 15))
    assert cost("claude-opus-4-5", at=datetime(2026, 3, day, tzinfo=UTC)) == expected


def test_the_most_exact_price_counts(owner: User) -> None:
    override(owner, "*", 1)
    assert cost("house-large") == 1
    override(owner, "house-*", 2)
    assert cost("house-large") == 2
    override(owner, "house-*", 3, backend="codex")
    assert cost("house-large") == 2
    assert cost("house-large", backend="codex") == 3
    override(owner, "house-large", 4)
    assert cost("house-large", backend="codex") == 4
    assert cost("other.model+x") == 1


def test_an_alias_leads_to_a_price_ours_or_shipped(owner: User) -> None:
    save_price(ModelAlias(name="Our-Proxy", model="claude-opus-4-5"), by=owner)
    assert cost("our-proxy") == Decimal(5)
    override(owner, "claude-opus-4-5", 8)
    assert cost("our-proxy") == 8
    override(owner, "our-proxy", 9)
    assert cost("our-proxy") == 9
    assert cost("claude-opus-4-5") == 8


def test_an_alias_neither_leads_to_itself_nor_to_another_alias(owner: User) -> None:
    save_price(ModelAlias(name="one", model="gpt-5"), by=owner)
    for name, model in (("two", "ONE"), ("three", "three"), (" ", "gpt-5")):
        with pytest.raises(ValidationError):
            save_price(ModelAlias(name=name, model=model), by=owner)


def test_the_same_price_is_not_told_twice(owner: User) -> None:
    for day in (None, date(2026, 1, 1)):
        override(owner, "house", effective_from=day)
        with pytest.raises(IntegrityError), transaction.atomic():
            override(owner, "HOUSE", 2, effective_from=day)


def test_the_shipped_prices_are_the_same_through_the_book(owner: User) -> None:
    tokens = {"input": 1234, "output": 567, "cache_read": 89, "cache_write": 50}
    for model in ("claude-opus-4-5", "gpt-5", "gemini-2.5-pro", "kimi-k2", "unknown", ""):
        nano = price_usage(model, NOON, backend="claude", **tokens)
        found = cost(model, **tokens)
        assert found == (None if nano is None else Decimal(nano) / 10**9)


def test_new_responses_cost_what_holds_now(owner: User, tell: Recorder) -> None:
    tell(told("one", usages=[billed("r1", model="house", input=M, output=0)]))
    override(owner, "house", 2)
    tell(told("one", usages=[billed("r2", model="house", input=M, output=0)]))
    costs = dict(Usage.objects.values_list("key", "cost"))
    assert costs == {"claude:r1": None, "claude:r2": Decimal(2)}


def test_a_recorded_cost_beats_every_price(owner: User, tell: Recorder) -> None:
    override(owner, "house", 2)
    tell(told("one", usages=[billed("r1", model="house", cost=Decimal("0.5"))]))
    row = Usage.objects.get()
    assert (row.cost, row.is_recorded) == (Decimal("0.5"), True)


def test_unchanged_prices_are_asked_for_with_one_small_query(owner: User) -> None:
    override(owner, "house", 2)
    price_book()
    with CaptureQueriesContext(connection) as queries:
        assert price_book() is price_book()
    assert len(queries) == 2
    with CaptureQueriesContext(connection) as queries:
        for _ in range(50):
            price_book().price(usage("house"))
    assert len(queries) == 50


def test_a_change_by_another_process_is_seen(owner: User) -> None:
    """Another process changes rows and edition, and knows nothing of our memory."""
    override(owner, "house", 2)
    held = price_book()
    PriceOverride.objects.update(input=5 * Decimal(1))
    connection.cursor().execute("UPDATE sessions_app_priceedition SET token = 'another'")
    assert held.price(usage("house")) == 2
    assert cost("house") == 5


def test_what_is_rolled_back_is_forgotten(owner: User) -> None:
    class Undo(Exception):
        pass

    with pytest.raises(Undo), transaction.atomic():
        override(owner, "house", 2)
        assert cost("house") == 2
        raise Undo
    assert cost("house") is None


def test_endless_names_do_not_fill_the_memory() -> None:
    book = PriceBook("x")
    for number in range(10_000):
        book.price(usage(f"model-{number}"))
    assert len(book._found) <= 4096


def test_who_changed_a_price_is_written_down(owner: User) -> None:
    row = override(owner, "house", 2)
    delete_prices([row], by=owner)
    acts = AuditEntry.objects.order_by("pk").values_list("action", "target", "actor_name")
    assert list(acts) == [
        ("price.save", "house", "owner"),
        ("price.delete", "house", "owner"),
    ]
