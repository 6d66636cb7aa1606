"""Every agent's samples through the real ingest, beside what is known to be in them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from django.db.models import Count

from sessions_app.ingest.run import Wish, ingest
from sessions_app.models import AgentSession, Relation, SessionUsage, ToolCall, User

SUMS = ("input", "output", "cache_read", "cache_write", "reasoning")
WHAT = ("sessions", "prompts", "responses", "tool calls", *SUMS, "parents", "state")
# Where the store rightly says something else than a reader of the one file does.
REASONS = {
    ("representative_messages", "input"): "another file of the case has the same response, larger",
}
STATES = {"open": "crashed", "ended": "completed", "failed": "error", "aborted": "paused"}


class Compared(NamedTuple):
    """One fact of one session, or the names of all sessions of a case."""

    agent: str
    case: str
    session: str
    what: str
    wanted: Any
    found: Any


def cases(folder: Path) -> list[Path]:
    """`<agent>/<case>` with an expected.json each: see tests/agents/samples/README.md."""
    return sorted(path.parent for path in folder.glob("*/*/expected.json"))


def compare(case: Path, owner: User) -> Iterator[Compared]:
    """Ingest one case for this owner; every fact that its expected.json names and we store."""
    expected = json.loads((case / "expected.json").read_text("utf-8"))
    home = case / "home"
    paths = None if home.is_dir() else [case / "files"]
    wish = Wish(owner=owner, home=home, paths=paths, sources={case.parent.name}, jobs=0)
    ingest(wish)
    found = {row.identity: row for row in AgentSession.objects.filter(collector=owner)}
    place = (case.parent.name, case.name)
    names = [
        name for name, told in expected["sessions"].items() if not told.get("only_if_known")
    ]  # a title without its session makes none
    yield Compared(*place, "", "sessions", sorted(names), sorted(found))
    for identity, wanted in expected["sessions"].items():
        if identity in found:
            facts = _stored(found[identity])
            for what, value in _wanted(wanted).items():
                yield Compared(*place, identity, what, value, facts[what])


def _wanted(told: dict[str, Any]) -> dict[str, Any]:
    """Of what expected.json says what the table compares."""
    out = {what: told["tokens"][what] for what in SUMS if what in told.get("tokens", {})}
    for key, what in (("responses", "responses"), ("tool_calls", "tool calls")):
        if key in told:
            out[what] = told[key]
    if "user_prompts" in told or "kinds" in told:
        out["prompts"] = told.get("user_prompts", told.get("kinds", {}).get("prompt", 0))
    if "relations" in told:
        out["parents"] = sorted(parent for _, parent, _ in told["relations"])
    elif told.get("parent"):  # none: the agent names none, but the store may find one
        out["parents"] = [told["parent"]]
    if told.get("turn") and not told.get("status"):
        out["state"] = STATES[told["turn"]]
    return out


def _stored(session: AgentSession) -> dict[str, Any]:
    links = Relation.objects.filter(child=session).exclude(kind="continuation")
    calls = ToolCall.objects.filter(session=session).exclude(message__role="tool")
    quiet = datetime.now(UTC) - session.last_active > timedelta(minutes=30)
    return {
        "prompts": session.user_messages,
        "responses": SessionUsage.objects.filter(session=session).count(),
        "tool calls": calls.aggregate(n=Count("call_id", distinct=True))["n"],
        **{what: getattr(session, f"{what}_tokens") for what in SUMS},
        "parents": sorted(links.values_list("parent_identity", flat=True)),
        "state": session.status if quiet else STATES.get(session.turn, session.status),
    }


def table(compared: Sequence[Compared]) -> list[tuple[str, ...]]:
    """A line for each agent: how many facts of each kind are equal, of how many."""
    equal: Counter[tuple[str, str]] = Counter()
    every: Counter[tuple[str, str]] = Counter()
    for item in compared:
        key = (item.agent, item.what)
        is_list = item.what == "sessions"
        every[key] += len(item.wanted) if is_list else 1
        equal[key] += (
            len(set(item.wanted) & set(item.found)) if is_list else item.wanted == item.found
        )
    agents = dict.fromkeys(item.agent for item in compared)
    return [
        (agent, *(_share(equal[agent, what], every[agent, what]) for what in WHAT))
        for agent in agents
    ]


def _share(equal: int, every: int) -> str:
    return f"{equal}/{every}" if every else "–"


def differences(compared: Sequence[Compared]) -> list[tuple[str, ...]]:
    """Where, how, and why, as far as there is a reason."""
    return [
        (
            f"{item.agent}/{item.case}", item.session, item.what,
            _beyond(item.wanted, item.found), _beyond(item.found, item.wanted),
            REASONS.get((item.session, item.what), ""),
        )
        for item in compared
        if item.wanted != item.found
    ]  # fmt: skip


def _beyond(one: Any, other: Any) -> str:
    """Of two lists only what the other one does not have."""
    if isinstance(one, list) and isinstance(other, list):
        return ", ".join(item for item in one if item not in other)
    return str(one)


def measure(folder: Path) -> list[Compared]:
    """Every case below `folder`, each in hands of its own."""
    compared: list[Compared] = []
    for number, case in enumerate(cases(folder)):
        owner = User.objects.create_user(f"collector-{number}", f"{number}@example.com", "x")
        compared += compare(case, owner)
    return compared
