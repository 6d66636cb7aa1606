"""What the store found, beside what the archive says it holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db.models import Sum

from sessions_app.models import AgentSession, IngestProblem, Message, RawFile, ToolCall, Usage

TOKENS = ("input", "output", "cache_read", "cache_write")


class Compared(NamedTuple):
    """One line of the comparison; `found` is None for what the archive alone tells."""

    name: str
    wanted: int
    found: int


def compare(truth: dict[str, Any]) -> Iterator[Compared]:
    """Only what the archive's truth.json tells."""
    for name, found in _counts().items():
        if name in truth:
            yield Compared(name, truth[name], found)
    for name, found in _tokens(None).items():
        if name in truth.get("tokens", {}):
            yield Compared(f"{name} tokens", truth["tokens"][name], found)
    for model, tokens in truth.get("tokens_by_model", {}).items():
        found_tokens = _tokens(model)
        found = sum(found_tokens[name] for name in tokens)
        yield Compared(f"tokens of {model}", sum(tokens.values()), found)


def _counts() -> dict[str, int]:
    main = AgentSession.objects.filter(kind=AgentSession.Kind.MAIN)
    sub_agents = AgentSession.objects.filter(kind=AgentSession.Kind.SUBAGENT).count()
    answers = Message.objects.filter(role=Message.Role.ASSISTANT)
    prompts = main.aggregate(n=Sum("user_messages"))["n"] or 0
    return {
        "files": RawFile.objects.filter(main_path="").count(),
        "sessions": main.count(),
        "subagent_files": sub_agents,
        # What a sub-agent is told to do is no prompt of a person, but the archive counts it.
        "user_prompts": prompts + sub_agents,
        "assistant_texts": answers.exclude(text="").count(),
        "thinking": answers.exclude(thinking="").count(),
        "tool_calls": ToolCall.objects.count(),
        "tool_results": ToolCall.objects.filter(ended=True).count(),
        "tool_errors": ToolCall.objects.filter(is_error=True).count(),
        "problems": IngestProblem.objects.count(),
    }


def _tokens(model: str | None) -> dict[str, int]:
    """Every billed response once, whoever copied it."""
    rows = Usage.objects.all() if model is None else Usage.objects.filter(model=model)
    sums = rows.aggregate(**{f"sum_{name}": Sum(name) for name in TOKENS})
    return {name: sums[f"sum_{name}"] or 0 for name in TOKENS}
