"""Token and cost counters on a session's row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sessions_app.border import EARLIEST
from sessions_app.models import AgentSession, Usage

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


def add_usage(session: AgentSession, usage: Usage | UsageRow) -> None:
    """Count one response that the session's conversation holds; the row is not saved."""
    total = usage.input + usage.output + usage.cache_read + usage.cache_write
    session.input_tokens += usage.input
    session.output_tokens += usage.output
    session.cache_read_tokens += usage.cache_read
    session.cache_write_tokens += usage.cache_write
    session.reasoning_tokens += usage.reasoning
    session.total_tokens += total
    cost = usage.cost or Decimal(0)
    session.cost += cost
    session.recorded_cost += cost if usage.is_recorded else Decimal(0)
    session.unpriced_responses += usage.cost is None and total > 0
    if usage.session_id != session.pk:
        session.inherited_tokens += total
        session.inherited_cost += cost


def recount_usage(session: AgentSession) -> list[str]:
    """Read the counters off the rows; answers the names of the fields, to be saved."""
    for field in COUNTERS:
        setattr(session, field, 0)
    for field in MONEY:
        setattr(session, field, Decimal(0))
    for usage in Usage.objects.filter(links__session=session).iterator(chunk_size=2000):
        add_usage(session, usage)
    return [*COUNTERS, *MONEY]
