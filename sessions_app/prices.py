"""What tokens cost: the dated price table of genai-prices, read offline and multiplied in integers.

The table is loaded on first use (it takes a fifth of a second) and each model is looked up
once; genai-prices' own update from the network is never started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

# Prices are USD for a million tokens with up to 18 decimals: as integers nothing is rounded.
SCALE = 10**18
NANO = SCALE * 10**6 // 10**9  # scaled price x tokens -> billionths of a USD
MAX_COST = 2**63 - 1
MAX_NAME = 200

PROVIDERS = {
    "claude": "anthropic",
    "codex": "openai",
    "copilot": "github-copilot",
    "gemini": "google",
    "kimi": "moonshotai",
    "kimi-code": "moonshotai",
}


class Rates(NamedTuple):
    """Scaled prices of one token, from `start` tokens of context on (a cliff, not a slope)."""

    start: int
    input: int
    output: int
    cache_read: int
    cache_write: int
    cache_write_1h: int


class Period(NamedTuple):
    """The rates while `is_active`; None = always."""

    is_active: Callable[[datetime], bool] | None
    rates: tuple[Rates, ...]


def price_usage(
    model: str,
    at: datetime | None,
    *,
    input: int,
    output: int,
    cache_read: int = 0,
    cache_write: int = 0,
    cache_write_1h: int = 0,
    backend: str = "",
) -> int | None:
    """Billionths of a USD for one billed response, or None when no price is known.

    Tokens are in the normal form: `input` without cache, `cache_write` with `cache_write_1h`
    inside, reasoning inside `output`. Without a time the prices of today count.
    """
    periods = _periods(model, backend)
    if not periods:
        return None
    rates = _rates(periods, at, input + cache_read + cache_write)
    return cost_at(rates, input, output, cache_read, cache_write, cache_write_1h)


def cost_at(
    rates: Rates, input: int, output: int, cache_read: int, cache_write: int, cache_write_1h: int
) -> int:
    """Billionths of a USD at these rates, rounded half to even."""
    long_writes = min(cache_write_1h, cache_write)
    cost = (
        input * rates.input
        + output * rates.output
        + cache_read * rates.cache_read
        + (cache_write - long_writes) * rates.cache_write
        + long_writes * rates.cache_write_1h
    )
    return min(_rounded(cost), MAX_COST)


def is_priced(model: str, backend: str = "") -> bool:
    """Whether the table knows a price for this model (free counts as known)."""
    return bool(_periods(model, backend))


def _rates(periods: tuple[Period, ...], at: datetime | None, context: int) -> Rates:
    steps = periods[0].rates
    if len(periods) > 1:
        moment = at or datetime.now(UTC)
        # The last one that is active counts; the first is what holds when none is.
        for period in reversed(periods):
            if period.is_active is None or period.is_active(moment):
                steps = period.rates
                break
    rates = steps[0]
    for step in steps[1:]:
        if context > step.start:
            rates = step
    return rates


def _rounded(cost: int) -> int:
    whole, rest = divmod(cost, NANO)
    return whole + (2 * rest > NANO or (2 * rest == NANO and whole % 2 == 1))


@lru_cache(maxsize=4096)
def _periods(model: str, backend: str) -> tuple[Period, ...]:
    """The priced periods of a model, the last of which takes precedence; () = no price."""
    from genai_prices.types import ConditionalPrice

    found = _find_model(model, backend) if 0 < len(model) <= MAX_NAME else None
    if found is None:
        return ()
    prices = found.prices
    entries = prices if isinstance(prices, list) else [ConditionalPrice(prices=prices)]
    periods = [
        Period(
            entry.constraint.active if entry.constraint else None, _steps(found.id, entry.prices)
        )
        for entry in entries
        if _is_known(entry.prices)
    ]
    return tuple(periods)


def _is_known(price: ModelPrice) -> bool:
    """Tokens have a price, or nothing has one: so the table writes "free of charge"."""
    told = {kind for kind, value in vars(price).items() if value is not None}
    return not told or not told.isdisjoint(("input_mtok", "output_mtok"))


def _find_model(model: str, backend: str) -> ModelInfo | None:
    from genai_prices.data_snapshot import get_snapshot

    table = get_snapshot()
    for provider, name in _candidates(model, backend):
        try:
            return table.find_provider_model(name, None, provider, None)[1]
        except LookupError:
            continue
    return None


def _candidates(model: str, backend: str) -> Iterator[tuple[str | None, str]]:
    """(provider, name) in the order of trust: the name itself says more than the backend."""
    name = model.strip().lower().removesuffix("[1m]")
    yield None, name
    if backend in PROVIDERS:
        yield PROVIDERS[backend], name
    vendor, slash, rest = name.partition("/")
    if slash:
        yield vendor, rest
        yield "openrouter", name
        yield None, rest
    if "anthropic." in name or "amazon." in name:
        yield "aws", name
    if name.startswith("glm-"):
        yield "zai", name


def _steps(model_id: str, price: ModelPrice) -> tuple[Rates, ...]:
    kinds = [price.input_mtok, price.output_mtok, price.cache_read_mtok, price.cache_write_mtok]
    kinds.append(price.cache_write_1h_mtok)
    starts = {tier.start for kind in kinds for tier in getattr(kind, "tiers", ())}
    steps = [_step(model_id, -1, kinds)]
    steps += [_step(model_id, start, kinds) for start in sorted(starts)]
    return tuple(steps)


def _step(model_id: str, start: int, kinds: list[Decimal | TieredPrices | None]) -> Rates:
    """One step; a kind of token without a price of its own costs what its parent kind costs."""
    fresh, output, read, write, write_1h = [_scaled(kind, start) for kind in kinds]
    fresh = fresh or 0
    write = fresh if write is None else write
    if write_1h is None:
        write_1h = 2 * fresh if "claude" in model_id else write
    return Rates(start, fresh, output or 0, fresh if read is None else read, write, write_1h)


def _scaled(kind: Decimal | TieredPrices | None, start: int) -> int | None:
    if kind is None:
        return None
    if isinstance(kind, Decimal):
        return int(kind * SCALE)
    price = kind.base
    for tier in kind.tiers:
        if tier.start <= start:
            price = tier.price
    return int(price * SCALE)
