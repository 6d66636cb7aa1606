"""What metadata.json says about a session."""

from __future__ import annotations

from typing import Any

from sessions_app import border
from sessions_app.agents.base import SourceFile, UnreadableSession
from sessions_app.agents.sessions_dir import files
from sessions_app.records import (
    TURN_ABORTED,
    TURN_ENDED,
    TURN_FAILED,
    TURN_OPEN,
    Problem,
    UsageRecord,
)

# What the stated status says about the last turn.
TURNS = {
    "active": TURN_OPEN,
    "paused": TURN_ABORTED,
    "completed": TURN_ENDED,
    "crashed": TURN_OPEN,
    "error": TURN_FAILED,
}
COUNTS = ("message_count", "tool_calls", "total_tokens", "total_cost")
KNOWN = frozenset(
    ("id", "created_at", "last_active", "status", "work_dir", "model", "total_steps", "tags",
     "description", "current_task", "progress", *COUNTS)
)  # fmt: skip


def facts_of(source: SourceFile) -> tuple[dict[str, Any], list[Problem]]:
    """The stated facts; none of them when the file is missing or broken, which is told."""
    path = source.path.parent / files.METADATA
    if path.is_symlink() or not path.exists():
        return {}, []
    try:
        return files.document(source.content(path)), []
    except UnreadableSession as error:
        return {}, [Problem(str(path), f"facts were rebuilt from the messages: {error}")]


def usages(facts: dict[str, Any], name: str) -> list[UsageRecord]:
    """The stated sums, which do not tell input from output: all of it stands as input."""
    tokens, cost = facts.get("total_tokens"), border.clean_money(facts.get("total_cost"))
    if not tokens and not cost:
        return []
    usage = UsageRecord(
        f"sessions-dir:{name}",
        model=word(facts, "model"),
        at=files.local_time(facts.get("last_active")),
        input=border.clean_count(tokens),
        cost=cost,
        summary=True,
        flagged=not border.is_count(tokens),
    )
    return [usage]


def others(facts: dict[str, Any], name: str) -> dict[str, Any]:
    """Stated counts, for comparison with what was counted, and fields that we do not know."""
    out = {key: value for key, value in facts.items() if key not in KNOWN}
    out.update({f"stated_{key}": facts[key] for key in COUNTS if facts.get(key) is not None})
    if facts.get("total_tokens"):
        out["tokens_are_a_total"] = True
    if facts.get("status") and word(facts, "status").lower() not in TURNS:
        out["stated_status"] = facts["status"]
    if word(facts, "id") not in ("", name):
        out["stated_id"] = facts["id"]
    return out


def word(facts: dict[str, Any], name: str) -> str:
    """A text fact; empty for anything else."""
    value = facts.get(name)
    return value if isinstance(value, str) else ""


def words(value: object) -> list[str]:
    """The texts of a list."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def share(value: object) -> float | None:
    """A progress from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None


def count(value: object) -> int | None:
    """A whole number that is not negative."""
    return value if border.is_count(value) and isinstance(value, int) else None
