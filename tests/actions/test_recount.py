"""Costs and sums made anew are those that were kept all the time."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions_app.actions import recount as module
from sessions_app.actions.prices import delete_prices, price_book, save_price
from sessions_app.actions.recount import Recount, recount
from sessions_app.actions.rollup import SUMS
from sessions_app.actions.tokens import usage_rows
from sessions_app.models import AgentSession, PriceOverride, Usage, UsageRollup, User
from sessions_app.models.fields import NANO
from tests.actions.conftest import START, Recorder, billed, told
from tests.invariants import check_rollups, check_tokens

pytestmark = pytest.mark.django_db
MODELS = ("claude-opus-4-5", "gpt-5", "house", "nobody-knows", "")
NAMES = ("one", "two", "three")
KEYS = [f"r{number}" for number in range(6)]


def sums() -> tuple[list[Any], list[Any]]:
    return (
        list(AgentSession.objects.order_by("pk").values_list("pk", *module.FIELDS)),
        list(
            UsageRollup.objects.order_by("session", "quarter", "model").values_list(
                "session", "quarter", "model", *SUMS
            )
        ),
    )


usages = st.builds(
    billed,
    st.sampled_from(KEYS),
    model=st.sampled_from(MODELS),
    at=st.integers(0, 40).map(lambda minutes: START + timedelta(minutes=minutes)),
    input=st.integers(0, 9000),
    output=st.integers(0, 900),
    cache_read=st.integers(0, 50),
    cost=st.none() | st.none() | st.decimals(0, 5, places=4),
    summary=st.booleans() | st.just(False),
)
parts = st.tuples(st.sampled_from(NAMES), st.lists(usages, max_size=4))
reprice = st.tuples(st.just("price"), st.integers(0, 9))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(parts | reprice, max_size=10))
def test_after_random_operations_live_is_rebuilt(
    owner: User, tell: Recorder, acts: list[tuple[str, Any]]
) -> None:
    with transaction.atomic():
        PriceOverride.objects.all().delete()
        price = PriceOverride(model="house", input=1, output=2)
        has_new_price = False
        for name, what in acts:
            if name == "price":
                price.input = Decimal(what)
                save_price(price, by=owner)
                has_new_price = True
            else:
                tell(told(name, usages=what))
        live, found = sums(), recount(check=True)
        assert sums() == live
        if not has_new_price:
            assert found.is_unchanged
        done = recount()
        assert (done.repriced, done.changed, done.after) == (
            found.repriced, found.changed, found.after,
        )  # fmt: skip
        check_tokens(AgentSession.objects.all())
        check_rollups()
        assert recount(check=True).is_unchanged
        assert sum((row.cost or 0 for row in usage_rows(Usage.objects.all())), 0) == done.after
        book = price_book()
        for row in usage_rows(Usage.objects.filter(is_recorded=False)):
            assert row.cost == book.price(row)
        transaction.set_rollback(True)


@pytest.fixture
def three(tell: Recorder) -> None:
    """A fork that holds its parent's response, a recorded cost, and one without a price."""
    tell(
        told(
            "parent",
            created_at=START,
            usages=[billed("r1", model="house", input=1_000_000, output=0)],
        )
    )
    later = START + timedelta(minutes=5)
    tell(
        told(
            "fork",
            created_at=later,
            usages=[billed("r1", model="house", input=1_000_000, output=0)],
        )
    )
    tell(told("other", usages=[billed("r2", model="house", cost=Decimal("0.5"))]))
    tell(told("strange", usages=[billed("r3", model="nobody-knows")]))


def facts(done: Recount) -> tuple[Any, ...]:
    return (
        done.responses, done.repriced, len(done.changed), done.before, done.after,
        done.unpriced_before, done.unpriced_after,
    )  # fmt: skip


def test_a_new_price_reaches_what_is_stored(three: None, owner: User) -> None:
    save_price(PriceOverride(model="house", input=2, output=3), by=owner)
    before = sums()
    expected = (3, 1, 2, Decimal("0.5"), Decimal("2.5"), 2, 1)
    assert facts(recount(check=True)) == expected
    assert sums() == before
    assert facts(recount()) == expected
    costs = AgentSession.objects.values_list(
        "identity", "cost", "inherited_cost", "unpriced_responses"
    )
    assert set(costs) == {
        ("parent", 2, 0, 0), ("fork", 2, 2, 0), ("other", Decimal("0.5"), 0, 0),
        ("strange", 0, 0, 1),
    }  # fmt: skip
    assert UsageRollup.objects.get(session__identity="parent").cost == 2
    assert recount().is_unchanged


def test_a_price_that_is_taken_away_leaves_no_price(three: None, owner: User) -> None:
    row = PriceOverride(model="house", input=2, output=3)
    save_price(row, by=owner)
    recount()
    delete_prices([row], by=owner)
    done = recount()
    assert (done.before, done.after, done.unpriced_after) == (Decimal("2.5"), Decimal("0.5"), 2)
    assert Usage.objects.get(key="claude:r1").cost is None


@pytest.mark.parametrize("way", ["counter", "rollup", "lost rollup", "foreign rollup"])
def test_what_was_damaged_is_put_right(three: None, way: str) -> None:
    right = sums()
    if way == "counter":
        AgentSession.objects.filter(identity="fork").update(total_tokens=7, cost=Decimal(9))
    elif way == "rollup":
        UsageRollup.objects.filter(session__identity="parent").update(responses=8)
    elif way == "lost rollup":
        UsageRollup.objects.filter(session__identity="parent").delete()
    else:
        row = UsageRollup.objects.filter(session__identity="parent").get()
        row.pk, row.model = None, "never used"
        row.save(force_insert=True)
    found = recount(check=True)
    assert len(found.changed | found.rollups) == 1 and found.repriced == 0
    assert sums() != right
    recount()
    assert sums() == right


def test_what_is_right_is_not_written(three: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert recount().is_unchanged
    words = {one["sql"].split(None, 1)[0] for one in queries}
    assert words.isdisjoint(("INSERT", "UPDATE", "DELETE"))


def test_billing_without_a_session_is_priced_too(three: None, owner: User) -> None:
    AgentSession.objects.all().delete()
    save_price(PriceOverride(model="house", input=2, output=3), by=owner)
    assert facts(recount())[1:5] == (1, 0, Decimal("0.5"), Decimal("2.5"))


def test_many_rows_take_several_groups(
    tell: Recorder, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 3)
    monkeypatch.setattr(module, "SESSIONS", 2)
    for name in range(5):
        keys = [billed(f"{name}-{number}", model="house") for number in range(4)]
        tell(told(str(name), usages=keys))
    save_price(PriceOverride(model="house", input=1, output=0), by=owner)
    seen: list[int] = []
    done = recount(progress=seen.append)
    assert facts(done)[:3] == (20, 20, 5)
    assert (sum(seen), max(seen)) == (25, 3)
    assert done.after == Decimal(20 * 100 * 1000) / NANO
    assert recount(check=True).is_unchanged
