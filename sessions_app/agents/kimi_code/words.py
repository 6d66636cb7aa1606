"""What the words in Kimi Code's records mean: who speaks, and how a turn ended."""

from __future__ import annotations

from sessions_app.agents.kimi import content
from sessions_app.records import TURN_ABORTED, TURN_ENDED, TURN_FAILED, Block

ENDINGS = {"completed": TURN_ENDED, "failed": TURN_FAILED, "error": TURN_FAILED}
GOES_ON = ("tool_use", "tool_calls")  # why a step ended that another one follows


def ending(reason: str | None) -> str:
    """What the reason of a turn's end says about it."""
    return ENDINGS.get(reason or "", TURN_ABORTED)


def user_kind(origin: object, said: list[Block]) -> str:
    """Who speaks in a user's message: mostly its origin tells it."""
    told = content.fields(origin)
    kind = told.get("kind")
    if kind is None:
        return content.user_kind(said)
    if kind == "user":
        return "prompt"
    if str(told.get("trigger")).startswith("user"):
        return "command"  # a skill that the user called by name
    return "compaction" if "compact" in str(kind) else "injected"


def is_task(origin: object) -> bool:
    """Whether the program gives a sub-agent its task."""
    return content.fields(origin).get("kind") == "system_trigger"
