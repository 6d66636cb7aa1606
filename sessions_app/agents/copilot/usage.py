"""What Copilot CLI's responses cost, told one by one or only when the session ends."""

from __future__ import annotations

from typing import Any

from sessions_app.agents.copilot import content
from sessions_app.agents.copilot.lines import COUNTS, Memory, Told
from sessions_app.records import UsageRecord

OUTPUT = COUNTS.index("outputTokens")


def remember(memory: Memory, model: str, numbers: list[int]) -> None:
    """Note what was told of one response: the sums at the end hold it too."""
    told = memory.told.setdefault(model, _nothing())
    told.since = [had + more for had, more in zip(told.since, numbers, strict=True)]


def rest(memory: Memory, metrics: dict[str, Any], key: str) -> list[UsageRecord]:
    """What the sums of a shutdown hold beyond what was told response by response.

    Versions before 1.0.100 or so tell of a response only its output. The sums go on after a
    resume; should they begin anew, they are smaller than before.
    """
    sums = {
        model: content.counts(content.fields(content.fields(told).get("usage")))
        for model, told in metrics.items()
    }
    sums = {model: numbers for model, numbers in sums.items() if any(numbers)}
    if not sums:
        return []
    # Outputs that were told under another name of the model are in the sums as well.
    spare = sum(told.since[OUTPUT] for model, told in memory.told.items() if model not in sums)
    out = []
    for model, numbers in sums.items():
        told = memory.told.get(model) or _nothing()
        goes_on = all(new >= old for new, old in zip(numbers, told.sums, strict=True))
        before = told.sums if goes_on else [0] * len(COUNTS)
        left = [
            max(new - old - since, 0)
            for new, old, since in zip(numbers, before, told.since, strict=True)
        ]
        taken = min(spare, left[OUTPUT])
        left[OUTPUT], spare = left[OUTPUT] - taken, spare - taken
        if any(left):
            usage = content.usage(f"{key}:{model}", model, left)
            usage.reasoning = left[-1]  # the outputs that it is part of may be told already
            out.append(usage)
    memory.told = {model: Told(numbers, [0] * len(COUNTS)) for model, numbers in sums.items()}
    return out


def _nothing() -> Told:
    return Told([0] * len(COUNTS), [0] * len(COUNTS))
