"""Prices: the same as genai-prices tells, exact, offline, and fast enough for every response."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price

from sessions_app.prices import _periods, is_priced, price_usage

AT = datetime(2026, 9, 1, 12, tzinfo=UTC)

MODELS = [
    "claude-opus-4-5-20251101",
    "claude-opus-4-1",
    "claude-opus-4-6",
    "claude-sonnet-4-5",
    "claude-sonnet-4-6",
    "claude-haiku-4-5-20251001",
    "claude-3-5-sonnet",
    "claude-3-5-haiku-20241022",
    "claude-opus-5",
    "claude-2",
    "gpt-5",
    "gpt-5-codex",
    "gpt-5-mini",
    "gpt-5.1-codex-max",
    "gpt-5.1-codex-mini",
    "gpt-5.3-codex",
    "gpt-4.1",
    "gpt-4o",
    "o3",
    "o4-mini",
    "gpt-5.6-sol",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "gemini-3-pro-preview",
    "gemini-3-flash-preview",
    "kimi-k2",
    "kimi-k2-thinking",
    "kimi-k2.5",
    "deepseek-chat",
    "deepseek-reasoner",
    "deepseek-v4-pro",
    "grok-code-fast-1",
    "minimax-m2",
    "glm-5.2",
    "mistral-medium-latest",
]

TIMES = [
    datetime(2025, 5, 1, 3, tzinfo=UTC),
    datetime(2026, 1, 3, 20, tzinfo=UTC),
    datetime(2026, 11, 20, 2, 30, tzinfo=UTC),
]

# input, output, cache_read, cache_write, cache_write_1h: short, at and beyond the long contexts
TOKENS = [
    (3193, 427, 0, 953, 0),
    (1, 0, 0, 0, 0),
    (100_000, 8_000, 90_000, 10_000, 4_000),
    (100_000, 8_000, 90_000, 10_001, 4_000),
    (250_001, 64_000, 30_000, 7, 7),
    (0, 0, 0, 0, 0),
]


@pytest.mark.parametrize("model", MODELS)
def test_price_is_what_the_table_itself_computes(model: str) -> None:
    for at in TIMES:
        for fresh, output, read, write, write_1h in TOKENS:
            theirs = calc_price(
                Usage(
                    input_tokens=fresh + read + write,
                    output_tokens=output,
                    cache_read_tokens=read,
                    cache_write_tokens=write,
                    cache_write_1h_tokens=write_1h if has_price_of_long_writes(model, at) else 0,
                ),
                model,
                genai_request_timestamp=at,
            ).total_price
            ours = price_usage(
                model,
                at,
                input=fresh,
                output=output,
                cache_read=read,
                cache_write=write,
                cache_write_1h=write_1h if has_price_of_long_writes(model, at) else 0,
            )
            assert ours == int((theirs * 10**9).quantize(Decimal(1))), (at, fresh)


def has_price_of_long_writes(model: str, at: datetime) -> bool:
    """Where the table has none, we double the input price of a Claude model; it does not."""
    price = calc_price(Usage(), model, genai_request_timestamp=at).model_price
    return price.cache_write_1h_mtok is not None or "claude" not in model


def test_opus_run_costs_what_the_agent_itself_said() -> None:
    cost = price_usage("claude-opus-4-5", AT, input=3193, output=427, cache_write=953)
    assert cost == 32_596_250  # 0.03259625 USD


def test_cache_writes_for_an_hour_cost_twice_the_input() -> None:
    for model, price in [("claude-opus-4-5", 10_000), ("claude-2", 16_000)]:
        write = price_usage(model, AT, input=0, output=0, cache_write=1, cache_write_1h=1)
        assert write == price, model


def test_more_long_writes_than_writes_count_only_once() -> None:
    cost = price_usage("claude-opus-4-5", AT, input=0, output=0, cache_write=1, cache_write_1h=9)
    assert cost == 10_000


def test_unknown_model_has_no_price_and_a_free_one_costs_nothing() -> None:
    for model in ["", "unknown", "<synthetic>", "gpt-99", "claude-opus-99", "x" * 5000, "/", "a/b"]:
        assert price_usage(model, AT, input=1000, output=1000) is None, model
        assert not is_priced(model)
    assert price_usage("mistral-nemo:free", AT, input=1000, output=1000) == 0
    assert is_priced("mistral-nemo:free")
    assert not is_priced("mistral-ocr-latest")  # priced by pages, not by tokens


@pytest.mark.parametrize(
    ("model", "backend", "same_as"),
    [
        ("anthropic/claude-opus-4.5", "", "claude-opus-4-5"),
        ("openrouter/anthropic/claude-3.5-sonnet", "opencode", "claude-3-5-sonnet"),
        ("claude-opus-4-5[1m]", "claude", "claude-opus-4-5"),
        ("CLAUDE-OPUS-4-5", "claude", "claude-opus-4-5"),
        ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", "claude", "claude-3-5-sonnet"),
        ("openai/gpt-5", "opencode", "gpt-5"),
        ("codex-mini", "codex", "codex-mini"),
    ],
)
def test_other_spellings_find_the_same_model(model: str, backend: str, same_as: str) -> None:
    cost = price_usage(model, AT, input=1_000_000, output=10, backend=backend)
    assert cost is not None
    assert cost == price_usage(same_as, AT, input=1_000_000, output=10, backend=backend)


def test_the_backend_helps_where_the_name_alone_says_nothing() -> None:
    assert not is_priced("codex-mini")
    assert is_priced("codex-mini", "codex")
    assert is_priced("glm-4.6", "claude")


def test_without_a_time_the_prices_of_today_count() -> None:
    assert price_usage("deepseek-chat", None, input=1000, output=0)


def test_absurd_numbers_stay_storable() -> None:
    huge = 2**63 - 1
    assert price_usage("claude-opus-4-5", AT, input=huge, output=huge, cache_read=huge) == huge


def test_pricing_never_touches_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("no network here")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    _periods.cache_clear()
    assert price_usage("claude-opus-4-5", AT, input=1, output=1)


def test_forty_thousand_responses_are_priced_in_a_blink() -> None:
    price_usage("claude-opus-4-6", AT, input=1, output=1)
    start = time.process_time()
    for number in range(40_000):
        price_usage("claude-opus-4-6", AT, input=number, output=300, cache_read=5000)
    assert time.process_time() - start < 1.0  # about 0.14 s; the rest is for a busy machine
