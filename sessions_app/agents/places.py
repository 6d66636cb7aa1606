"""Where agents keep their files, in the words of anybody's home folder."""

from __future__ import annotations

from pathlib import Path

from sessions_app.agents import AGENTS

NOBODY = Path("/-")  # a home that nobody has: no setting of this process speaks of it


def home_folders() -> dict[str, frozenset[str]]:
    """Source -> the first folder below a home in which its files lie: `.claude`, `.local` ..."""
    return {
        agent.name: frozenset(home.relative_to(NOBODY).parts[0] for home in agent.homes(NOBODY))
        for agent in AGENTS
    }
