"""Statuses that follow from silence and from the agents' registries of running processes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sessions_app.actions.lifecycle import settle_live, settle_quiet
from sessions_app.agents import AGENTS
from sessions_app.models import User


def settle(collector: User, home: Path, now: datetime) -> int:
    """Bring the statuses of sessions from files up to date; answers how many changed."""
    settled, alive = 0, set()
    for agent in AGENTS:
        live: dict[str, bool] = {}
        for root in agent.homes(home):
            live.update(agent.live_sessions(root))
        alive |= {identity for identity, lives in live.items() if lives}
        for backend in agent.backends if live else ():
            settled += settle_live(live, backend=backend, collector=collector, now=now)
    return settled + settle_quiet(now, alive=alive)
