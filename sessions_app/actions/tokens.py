"""Token and cost counters on a session's row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet

from sessions_app.border import EARLIEST
from sessions_app.models import AgentSession, Usage

USAGE_COLUMNS = (
    "id", "key", "backend", "session_id", "model", "at", "input", "output", "cache_read",
    "cache_write", "cache_write_1h", "reasoning", "cost", "is_recorded", "is_summary",
    "is_flagged",
)  # fmt: skip
COUNTERS = (
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "reasoning_tokens", "total_tokens", "inherited_tokens", "unpriced_responses",
)  # fmt: skip
MONEY = ("cost", "recorded_cost", "inherited_cost")


@dataclass(slots=True)
class UsageRow:
    """A row of `Usage` on its way: a model instance costs 50 us to make, this one 2."""

    pk: int
    key: str
    backend: str
    session_id: int | None
    model: str = ""
    at: datetime = EARLIEST
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    cost: Decimal | None = None
    is_recorded: bool = False
    is_summary: bool = False
    is_flagged: bool = False

    @property
    def total(self) -> int:
        """Every token, cache included."""
        return self.input + self.output + self.cache_read + self.cache_write

    @property
    def is_unpriced(self) -> bool:
        """Whether it cost something that nobody knows."""
        return self.cost is None and self.total > 0


def add_usage(session: AgentSession, usage: UsageRow, sign: int = 1) -> None:
    """Count one response that the conversation holds, or with -1 no more; it is not saved."""
    total = sign * usage.total
    session.input_tokens += sign * usage.input
    session.output_tokens += sign * usage.output
    session.cache_read_tokens += sign * usage.cache_read
    session.cache_write_tokens += sign * usage.cache_write
    session.reasoning_tokens += sign * usage.reasoning
    session.total_tokens += total
    cost = sign * (usage.cost or Decimal(0))
    session.cost += cost
    session.recorded_cost += cost if usage.is_recorded else Decimal(0)
    session.unpriced_responses += sign * usage.is_unpriced
    if usage.session_id != session.id:
        session.inherited_tokens += total
        session.inherited_cost += cost


def recount_usage(session: AgentSession) -> list[str]:
    """Read the counters off the rows; answers the names of the fields, to be saved."""
    for field in COUNTERS:
        setattr(session, field, 0)
    for field in MONEY:
        setattr(session, field, Decimal(0))
    for usage in usage_rows(Usage.objects.filter(links__session=session)):
        add_usage(session, usage)
    return [*COUNTERS, *MONEY]


def recount_stored(sessions: Iterable[int]) -> None:
    """The same for sessions that nobody has at hand, saved."""
    for session in AgentSession.objects.filter(pk__in=list(sessions)):
        session.save(update_fields=recount_usage(session))


def usage_rows(rows: QuerySet[Usage]) -> Iterator[UsageRow]:
    """The rows without an instance for each."""
    for values in rows.values_list(*USAGE_COLUMNS).iterator(chunk_size=2000):
        yield UsageRow(*values)
