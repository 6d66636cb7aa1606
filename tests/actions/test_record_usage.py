"""Tokens and money through the one door: each response once, whoever tells it and how often."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from sessions_app.models import AgentSession, SessionUsage, Usage, UsageRollup
from sessions_app.records import UsageRecord
from tests.actions.conftest import START, Recorder, billed, only_session, said, told

pytestmark = pytest.mark.django_db
LATER = START + timedelta(minutes=20)


def test_the_largest_telling_counts_once(tell: Recorder) -> None:
    sizes = [(5, START), (9, LATER), (7, LATER)]
    for output, at in sizes:
        tell(told(usages=[billed("r1", output=output, at=at)]))
    session = only_session()
    assert (session.output_tokens, session.total_tokens) == (9, 109)
    assert UsageRollup.objects.get().quarter == LATER.replace(minute=15)
    tell(told("whole", usages=[billed("r2", output=output, at=at) for output, at in sizes]))
    assert AgentSession.objects.get(identity="whole").output_tokens == 9


def test_growth_reaches_every_session_that_holds_the_response(tell: Recorder) -> None:
    tell(told("one", usages=[billed("r1")]), told("two", usages=[billed("r1")]))
    tell(told("two", usages=[billed("r1", output=50, model="claude-opus-4-5")]))
    sums = AgentSession.objects.order_by("identity").values_list("total_tokens", "inherited_tokens")
    assert list(sums) == [(150, 0), (150, 150)]
    assert UsageRollup.objects.get().model == "claude-opus-4-5"


def test_two_strangers_share_a_response_and_the_older_owns_it(tell: Recorder) -> None:
    """Whichever is read first; nothing tells that one descends from the other."""
    young = told("young", created_at=LATER, usages=[billed("r1"), billed("r2")])
    old = told("old", created_at=START, usages=[billed("r1")])
    tell(young)
    tell(old)
    owners = dict(Usage.objects.values_list("key", "session__identity"))
    assert owners == {"claude:r1": "old", "claude:r2": "young"}
    tell(young)
    assert dict(Usage.objects.values_list("key", "session__identity")) == owners


def test_a_copy_with_a_new_time_does_not_move_the_day(tell: Recorder) -> None:
    tell(told("copy", usages=[billed("r1", at=LATER)]))
    tell(told("original", usages=[billed("r1", at=START)]))
    assert Usage.objects.get().at == START


def test_a_response_finds_its_message_when_that_comes_later(tell: Recorder) -> None:
    tell(told(usages=[billed("r1", message_key="m1"), billed("r2", message_key="gone\0")]))
    assert SessionUsage.objects.filter(message=None).count() == 2
    tell(told(messages=[said("m1", role="assistant")]))
    link = SessionUsage.objects.get(usage__key="claude:r1")
    assert (link.message and link.message.key, link.waits_for) == ("m1", None)


def test_recorded_cost_beats_the_estimate_and_unknown_is_not_zero(tell: Recorder) -> None:
    tell(told(usages=[
        billed("r1", cost=Decimal("0.25")),
        billed("r2"),
        billed("r3", model="nobody-knows-1"),
        UsageRecord("r4", model="nobody-knows-1", at=START),
    ]))  # fmt: skip
    session = only_session()
    estimated = Decimal(100 * 3 + 10 * 15) / 10**6
    assert (session.cost, session.recorded_cost) == (Decimal("0.25") + estimated, Decimal("0.25"))
    assert (session.unpriced_responses, session.cost_is_complete) == (1, False)
    assert Usage.objects.get(key="claude:r3").cost is None


def test_a_sum_counts_only_while_nothing_better_is_known(tell: Recorder) -> None:
    total = UsageRecord("sum", model="claude-sonnet-4-5", input=500, summary=True, at=START)
    tell(told(usages=[total]))
    assert only_session().total_tokens == 500
    tell(told(usages=[billed("r1")]))
    assert (only_session().total_tokens, Usage.objects.count()) == (110, 1)
    tell(told(usages=[total]))
    assert (only_session().total_tokens, Usage.objects.count()) == (110, 1)


def test_a_sum_gives_way_beside_a_sum_of_another_session(tell: Recorder) -> None:
    def total(key: str) -> UsageRecord:
        return UsageRecord(key, model="claude-sonnet-4-5", input=500, summary=True, at=START)

    tell(told("one", usages=[total("sum one")]))
    tell(told("one", usages=[billed("r1")]), told("two", usages=[total("sum two")]))
    assert dict(AgentSession.objects.values_list("identity", "total_tokens")) == {
        "one": 110, "two": 500,
    }  # fmt: skip


def test_a_sum_follows_its_record(tell: Recorder) -> None:
    for tokens, cost in [(10, None), (20, None), (20, "0.5"), (20, "0.75"), (15, "0.75")]:
        money = Decimal(cost) if cost else None
        tell(told(usages=[UsageRecord("sum", input=tokens, cost=money, summary=True, at=START)]))
        session = only_session()
        assert (session.total_tokens, session.recorded_cost) == (tokens, Decimal(cost or 0))


def test_a_sum_moves_with_its_record_to_another_session(tell: Recorder) -> None:
    total = UsageRecord("sum", input=500, summary=True, at=START)
    for identity in ("one", "two"):
        tell(told(identity, joins=True, usages=[total]))
    assert dict(AgentSession.objects.values_list("identity", "total_tokens")) == {
        "one": 0, "two": 500,
    }  # fmt: skip


HUGE = 2**63 - 1


@pytest.mark.parametrize(
    "numbers",
    [
        {"input": HUGE, "output": HUGE}, {"cost": Decimal(10**9 - 1)}, {"cache_read": 10**12},
        {"cost": Decimal("NaN")}, {"cost": Decimal(-1)},
    ],
)  # fmt: skip
def test_forged_numbers_never_run_over_the_sums(tell: Recorder, numbers: dict[str, Any]) -> None:
    usages = [billed(f"r{n}", **numbers) for n in range(20)]
    tell(told(usages=usages))
    tell(told(usages=[billed(f"s{n}", **numbers) for n in range(20)]))
    session = only_session()
    assert session.total_tokens < 40 * 10**11
    assert session.cost < 40_001


def test_a_response_without_a_time_counts_when_the_session_began(tell: Recorder) -> None:
    tell(told(last_active=LATER, usages=[billed("r1", at=None)]))
    tell(told(usages=[billed("r2", at=None)]))
    assert set(Usage.objects.values_list("at", flat=True)) == {START}


def test_nothing_is_kept_where_usage_is_not_wanted(tell: Recorder, settings: Any) -> None:
    tell(told(usages=[billed("r1")], messages=[said("m1")]))
    settings.SESSIONS_STORE_TOKEN_USAGE = False
    tell(told(usages=[billed("r2")]), told("two", usages=[billed("r3")]))
    assert list(Usage.objects.values_list("key", flat=True)) == ["claude:r1"]
    tell(told(messages=[said("m2")]), replace=True)  # takes the link to r1 away
    assert only_session_named("one").total_tokens == 0


def only_session_named(identity: str) -> AgentSession:
    return AgentSession.objects.get(identity=identity)


def test_an_append_does_not_read_what_was_billed_before(
    tell: Recorder, django_assert_max_num_queries: Any
) -> None:
    tell(told(usages=[billed(f"r{n}") for n in range(600)]))
    with django_assert_max_num_queries(90):
        tell(told(usages=[billed("new"), billed("r5", output=99)]))
