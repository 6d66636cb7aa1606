"""What the overview shows: what to go on with, what happened, what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import Count, Q, Sum
from django.utils import timezone

from sessions_app.models import AgentSession, UsageRollup, User
from sessions_app.models.session import SessionQuerySet
from sessions_app.queries.lists import COLUMNS

QUIET = timedelta(minutes=30)  # after so long an open turn counts as left behind
DAYS = 30
UNFINISHED_SHOWN = 5


@dataclass(slots=True)
class Spend:
    """Each billed response once. `unpriced` responses are in no amount."""

    input: int = 0
    output: int = 0
    cache: int = 0  # read and written
    responses: int = 0
    cost: Decimal = Decimal(0)
    recorded: Decimal = Decimal(0)
    unpriced: int = 0

    @property
    def tokens(self) -> int:
        return self.input + self.output + self.cache

    @property
    def estimated(self) -> Decimal:
        return self.cost - self.recorded

    def add(self, other: Spend) -> None:
        self.input += other.input
        self.output += other.output
        self.cache += other.cache
        self.responses += other.responses
        self.cost += other.cost
        self.recorded += other.recorded
        self.unpriced += other.unpriced


@dataclass(slots=True)
class Activity:
    """The last days, oldest first, and the month so far, in the zone of the reader."""

    days: dict[date, Spend]
    month: Spend = field(default_factory=Spend)


@dataclass(slots=True)
class Counts:
    by_status: dict[str, int]
    samples: int

    @property
    def total(self) -> int:
        return sum(self.by_status.values())


def unfinished(user: User, now: datetime) -> tuple[list[AgentSession], int]:
    """The newest crashed and abandoned sessions, and how many there are."""
    open_turn = Q(status=AgentSession.Status.ACTIVE, turn="open", last_active__lt=now - QUIET)
    found = _main(user).filter(Q(status=AgentSession.Status.CRASHED) | open_turn)
    newest = found.order_by("-last_active", "-pk").only(*COLUMNS, "error", "turn")
    shown = list(newest.select_related("owner", "project")[: UNFINISHED_SHOWN + 1])
    if len(shown) <= UNFINISHED_SHOWN:
        return shown, len(shown)
    return shown[:UNFINISHED_SHOWN], found.count()


def latest_resumable(user: User) -> AgentSession | None:
    """Of the person's own sessions: a teammate's files are on another machine."""
    mine = _main(user).filter(owner=user).exclude(backend_session_id="")
    return (
        mine.order_by("-last_active", "-pk")
        .only(*COLUMNS)
        .select_related("owner", "project")
        .first()
    )


def count_by_status(user: User) -> Counts:
    rows = (
        _main(user)
        .order_by()
        .values("status")
        .annotate(n=Count("pk"), samples=Count("pk", filter=Q(is_sample=True)))
    )
    counted = list(rows.values_list("status", "n", "samples"))
    return Counts(
        {status: n for status, n, _samples in counted},
        sum(samples for _status, _n, samples in counted),
    )


def activity(user: User, now: datetime) -> Activity:
    """Main sessions and sub-agents alike: a roll-up holds only what its session owns."""
    today = timezone.localdate(now)
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    month_start = today.replace(day=1)
    found = Activity({day: Spend() for day in days})
    for quarter, spend in _quarters(user, _midnight(min(days[0], month_start))):
        day = timezone.localtime(quarter).date()
        if day in found.days:
            found.days[day].add(spend)
        if day >= month_start:
            found.month.add(spend)
    return found


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, datetime.min.time()))


def _quarters(user: User, since: datetime) -> Iterator[tuple[datetime, Spend]]:
    """Summed by quarter of an hour: days are made here, since zones differ by reader."""
    seen = AgentSession.objects.visible_to(user).values("pk")
    sums = (
        UsageRollup.objects.filter(quarter__gte=since, session__in=seen)
        .order_by()
        .values("quarter")
        .annotate(
            fresh=Sum("input"),
            said=Sum("output"),
            cache=Sum("cache_read") + Sum("cache_write"),
            n=Sum("responses"),
            money=Sum("cost"),
            recorded_money=Sum("recorded_cost"),
            unpriced=Sum("unpriced_responses"),
        )
        .values_list(
            *("quarter", "fresh", "said", "cache", "n", "money", "recorded_money", "unpriced")
        )
    )
    for quarter, *parts in sums:
        yield quarter, Spend(*parts)


def _main(user: User) -> SessionQuerySet:
    return AgentSession.objects.visible_to(user).filter(kind=AgentSession.Kind.MAIN)
