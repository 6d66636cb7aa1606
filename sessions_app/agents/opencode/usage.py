"""Tokens and cost of OpenCode's responses, and how a copied response is known again."""

from __future__ import annotations

import hashlib

import msgspec

from sessions_app import border
from sessions_app.agents.lines import when
from sessions_app.agents.opencode.content import Message
from sessions_app.records import UsageRecord


def fingerprint(message: Message) -> str:
    """The same for a message and for its copies in forks, which have ids of their own.

    A fork copies times, model, tokens and cost exactly; of a prompt only the time is left.
    """
    facts = [message.role, _number(message.time.created)]
    if message.role == "assistant":
        facts += [_number(message.time.completed), message.model_id, *_counts(message)]
        facts.append(_number(message.cost))
    return hashlib.blake2b(msgspec.json.encode(facts), digest_size=16).hexdigest()


def usage_of(message: Message, message_key: str) -> UsageRecord | None:
    """The tokens in the normal form; None for a response that told none.

    OpenCode's input excludes the cache, its output excludes reasoning. A cost of 0 means that
    OpenCode knows no price, or that a subscription pays: then ours is the estimate.
    """
    counts = _counts(message)
    cost = border.clean_money(message.cost) or None
    if not any(counts) and not cost:
        return None
    tokens, output, reasoning, read, write = (border.clean_count(count) for count in counts)
    return UsageRecord(
        fingerprint(message),
        message_key,
        message.model_id or "",
        when(message.time.completed) or when(message.time.created),
        input=tokens,
        output=border.clean_count(output + reasoning),
        cache_read=read,
        cache_write=write,
        reasoning=reasoning,
        cost=cost,
        flagged=not all(map(border.is_count, counts)),
    )


def _counts(message: Message) -> list[object]:
    """Input, output, reasoning, cache read, cache write: as they are written."""
    tokens = message.tokens if isinstance(message.tokens, dict) else {}
    cache = tokens.get("cache")
    cache = cache if isinstance(cache, dict) else {}
    found = [tokens.get(name) for name in ("input", "output", "reasoning")]
    return [_number(value) for value in (*found, cache.get("read"), cache.get("write"))]


def _number(value: object) -> object:
    """`0` and `0.0` are the same number to OpenCode; what is none stays as it is."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return 0 if value is None else value
