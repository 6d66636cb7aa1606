"""Tokens of Codex: each billed response once, under a key that copied history repeats.

A `token_usage_record` names its response: the key is `response_id`. Before those lines existed
there were only `token_count` events with the running sum of the session and the last response,
repeated whenever a rate limit was refreshed. Of these an event counts when the sum has changed,
and its key must be found again in the history that older forks and sub-agents copy from their
parent, although the reader sees only its own file and copies carry new times:

- with turn ids (`turn_context`, `task_started`): turn id + running sum. A copy keeps both.
- without: origin + number of the response + running sum. The origin is the id in the last
  `session_meta` before anything was said: a copy puts its parent's session_meta behind its own,
  so the copied responses get the parent's keys (or `forked_from_id` where it does not).

Own responses of the copy stand under other turns, or have other sums. Since a version that
writes records may go on with a file that had none, and the other way round, each response is
decided by itself: the token_count after a record in the same turn tells of the same response.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import astuple

from sessions_app import border
from sessions_app.agents.codex.lines import Info, Item, Tokens
from sessions_app.border import MAX_INT
from sessions_app.records import UsageRecord


class Meter(msgspec.Struct, omit_defaults=True):
    """What must be remembered to count each response once, however a file is cut."""

    origin: str = ""
    turn: str = ""
    model: str = ""
    counted: int = 0
    mark: str = ""  # the running sum as it was written
    recorded: str | None = None  # the turn of a record whose token_count is still to come

    def record(self, item: Item, at: datetime | None) -> UsageRecord | None:
        """The response of a token_usage_record."""
        if not isinstance(item.usage, Tokens):
            return None
        self.turn = item.turn_id or self.turn
        self.recorded = self.turn
        written = astuple(item.usage)
        return self._bill(item.response_id or self._key(_mark(written)), written, at)

    def count(self, info: Info, at: datetime | None) -> UsageRecord | None:
        """The response of a token_count, or None when it tells nothing new."""
        total, last, before = info.total_token_usage, info.last_token_usage, self.mark
        if isinstance(total, Tokens):
            self.mark = _mark(astuple(total))
            if self.mark == before:
                return None
            written = astuple(last) if isinstance(last, Tokens) else _added(before, self.mark)
            key = self.mark
        elif isinstance(last, Tokens):
            written = astuple(last)
            key = ""
        else:
            return None
        if not any(written):
            return None  # a sum that was only reset
        if self.recorded == self.turn:
            self.recorded = None
            return None
        return self._bill(self._key(key), written, at)

    def _key(self, mark: str) -> str:
        self.counted += 1
        if self.turn and mark:
            return f"{self.turn}:{mark}"
        return f"{self.origin}:{self.counted}:{mark}"

    def _bill(self, key: str, written: tuple[Any, ...], at: datetime | None) -> UsageRecord:
        is_sound = set(map(type, written)) == {int} and 0 <= min(written) <= max(written) <= MAX_INT
        counts = written if is_sound else map(border.clean_count, written)
        every, cached, stored, output, reasoning = counts
        fresh = every - cached - stored
        return UsageRecord(
            key,
            model=self.model,
            at=at,
            input=max(fresh, 0),
            output=output,
            cache_read=cached,
            cache_write=stored,
            reasoning=min(reasoning, output),
            flagged=not is_sound or fresh < 0 or reasoning > output,
        )


def _mark(written: tuple[Any, ...]) -> str:
    """The numbers as they stand in the file: even impossible ones tell two sums apart."""
    return "/".join([str(value)[:24] for value in written])


def _added(before: str, now: str) -> tuple[int, ...]:
    """What was added to a running sum; one that fell began again."""
    old, new = _numbers(before), _numbers(now)
    if sum(new) < sum(old):
        return new
    return tuple(max(to - since, 0) for since, to in zip(old, new, strict=True))


def _numbers(mark: str) -> tuple[int, ...]:
    words = mark.split("/") if mark else ["0"] * len(Tokens.__struct_fields__)
    return tuple(int(word) if word.isdecimal() else 0 for word in words)
