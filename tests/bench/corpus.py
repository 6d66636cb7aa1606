"""A deterministic archive of invented sessions, shaped like Claude Code's and Codex's files."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from tests.bench.words import Words

BYTES_A_SESSION = 30_000
HALF_A_TURN = 6_000
PLANNED = 0.8  # of the bytes; the rest are sub-agents, forks, and a first turn for everybody
LONG_SESSION = 10_000_000  # bytes of the longest one, in archives that have room for it
FIRST_DAY = datetime(2026, 5, 1, 8, tzinfo=UTC)
DAYS = 90


class Truth:
    """What a perfect reader finds."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.tokens: dict[str, Counter[str]] = {}

    def use(self, model: str, **tokens: int) -> None:
        """One billed response; copies of its lines in other files are not told again."""
        self.tokens.setdefault(model, Counter()).update(tokens)

    def as_json(self) -> dict[str, Any]:
        in_all: Counter[str] = Counter()
        for tokens in self.tokens.values():
            in_all.update(tokens)
        models = {model: dict(tokens) for model, tokens in sorted(self.tokens.items())}
        return {**self.counts, "tokens": dict(in_all), "tokens_by_model": models}


class Draft:
    """The lines of one file while it is made; its clock runs with them."""

    def __init__(self, random: Random, words: Words, truth: Truth, start: datetime) -> None:
        self.random, self.words, self.truth = random, words, truth
        self.clock = start
        self.lines: list[str] = []
        self.size = 0
        self.counts: Counter[str] = Counter()

    def add(self, line: dict[str, Any]) -> None:
        self.add_text(json.dumps(line, ensure_ascii=False, separators=(",", ":")))

    def add_text(self, text: str) -> None:
        self.lines.append(text)
        self.size += len(text.encode()) + 1

    def now(self) -> str:
        self.clock += timedelta(seconds=self.random.randint(1, 40))
        return self.clock.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def uuid(self) -> str:
        text = f"{self.random.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"

    def save(self, path: Path) -> None:
        """With the time of the last line, as an agent would leave it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(self.lines) + "\n", encoding="utf-8")
        os.utime(path, (self.clock.timestamp(), self.clock.timestamp()))
        self.truth.counts.update(self.counts)
        self.truth.counts["files"] += 1
        self.truth.counts["bytes"] += path.stat().st_size


def write_corpus(home: Path, megabytes: float, sessions: int | None = None) -> dict[str, Any]:
    """Fill `home` and write truth.json beside; the same arguments give the same bytes."""
    from tests.bench.claude import write_claude_session
    from tests.bench.codex import write_codex_session

    random, truth = Random(1), Truth()
    words = Words(random)
    total = int(megabytes * 1_000_000)
    sizes = _sizes(random, total, sessions or max(total // BYTES_A_SESSION, 20))
    for number, size in enumerate(sizes):
        start = FIRST_DAY + timedelta(days=DAYS * number / len(sizes), hours=random.random())
        draft = Draft(random, words, truth, start)
        write = write_codex_session if number % 5 == 4 else write_claude_session
        write(home, draft, number, size)
    found = truth.as_json()
    (home / "truth.json").write_text(json.dumps(found, indent=1))
    return found


def _sizes(random: Random, total: int, count: int) -> list[int]:
    """Many small sessions, few large ones, and one that is very long."""
    long = LONG_SESSION if total > 5 * LONG_SESSION else 0
    weights = [random.lognormvariate(0, 1) for _ in range(count)]
    scale = (PLANNED * total - long) / sum(weights)
    sizes = [int(weight * scale) for weight in weights]
    sizes[0] += long
    return sizes
