"""What the overview shows: what to go on with, what happened, what it cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import Case, Count, Exists, F, OuterRef, Q, Sum, Value, When
from django.utils import timezone

from sessions_app.models import AgentSession, UsageRollup, User
from sessions_app.models.session import SessionQuerySet
from sessions_app.queries.filters import MAIN
from sessions_app.queries.listed import Listed, read_rows

QUIET = timedelta(minutes=30)  # after so long an open turn counts as left behind
DAYS = 30
UNFINISHED_SHOWN = 5
LATEST = 8


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
class Overview:
    by_status: dict[str, int]
    has_samples: bool
    unfinished: list[Listed]
    unfinished_count: int
    resumable: Listed | None
    latest: list[Listed]
    activity: Activity


def overview(user: User, now: datetime) -> Overview:
    seen = AgentSession.objects.visible_to(user)
    main = seen.filter(MAIN)
    left, left_count = _unfinished(main, now)
    mine = main.filter(owner=user).exclude(backend_session_id="")
    resumable, latest = _newest(mine, 1), _newest(main, LATEST)
    rows = {row.session.pk: row for row in read_rows([*{*left, *resumable, *latest}])}
    return Overview(
        by_status=_count_by_status(main),
        has_samples=main.filter(is_sample=True).exists(),
        unfinished=[rows[pk] for pk in left if pk in rows],
        unfinished_count=left_count,
        # Of the person's own: a teammate's files are on another machine.
        resumable=next((rows[pk] for pk in resumable if pk in rows), None),
        latest=[rows[pk] for pk in latest if pk in rows],
        activity=_activity(seen, now),
    )


def _newest(sessions: SessionQuerySet, count: int) -> list[int]:
    return list(sessions.order_by("-last_active", "-pk").values_list("pk", flat=True)[:count])


def _unfinished(main: SessionQuerySet, now: datetime) -> tuple[list[int], int]:
    """The newest crashed and abandoned sessions, and how many there are."""
    status = AgentSession.Status
    # The first filter is there for its index.
    found = main.filter(status__in=[status.CRASHED, status.ACTIVE]).filter(
        Q(status=status.CRASHED) | Q(turn="open", last_active__lt=now - QUIET)
    )
    newest = _newest(found, UNFINISHED_SHOWN + 1)
    if len(newest) <= UNFINISHED_SHOWN:
        return newest, len(newest)
    return newest[:UNFINISHED_SHOWN], found.count()


def _count_by_status(main: SessionQuerySet) -> dict[str, int]:
    counts = main.order_by().values("status").annotate(n=Count("status"))
    return dict(counts.values_list("status", "n"))


def _activity(seen: SessionQuerySet, now: datetime) -> Activity:
    """Main sessions and sub-agents alike: a roll-up holds only what its session owns."""
    today = timezone.localdate(now)
    month_start = today.replace(day=1)
    first = min(today - timedelta(days=DAYS - 1), month_start)
    days = [first + timedelta(days=back) for back in range((today - first).days + 1)]
    spend = _by_day(seen, days)
    month = Spend()
    for day in days[days.index(month_start) :]:
        month.add(spend[day])
    return Activity({day: spend[day] for day in days[-DAYS:]}, month)


def _by_day(seen: SessionQuerySet, days: list[date]) -> dict[date, Spend]:
    """Quarters of an hour are put into the reader's days by comparing, alike on both engines."""
    ends = [_midnight(day + timedelta(days=1)) for day in days]
    whens = [When(quarter__lt=end, then=Value(place)) for place, end in enumerate(ends)]
    sums = (
        UsageRollup.objects.filter(Exists(seen.filter(pk=OuterRef("session"))))
        .filter(quarter__gte=_midnight(days[0]), quarter__lt=ends[-1])
        .order_by()
        .annotate(place=Case(*whens))
        .values("place")
        .annotate(
            fresh=Sum("input"),
            said=Sum("output"),
            cache=Sum(F("cache_read") + F("cache_write")),
            n=Sum("responses"),
            money=Sum("cost"),
            recorded_money=Sum("recorded_cost"),
            unpriced=Sum("unpriced_responses"),
        )
        .values_list(
            *("place", "fresh", "said", "cache", "n", "money", "recorded_money", "unpriced")
        )
    )
    found = {day: Spend() for day in days}
    for place, *parts in sums:
        found[days[place]] = Spend(*parts)
    return found


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, datetime.min.time()))
