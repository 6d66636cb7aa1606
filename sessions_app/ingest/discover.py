"""What there is to read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sessions_app.agents import AGENTS
from sessions_app.agents.base import Agent, SourceFile
from sessions_app.agents.folders import Excluded, excluding, existing
from sessions_app.ingest.reading import Stat
from sessions_app.records import Problem


@dataclass(frozen=True, slots=True)
class Found:
    """A unit on disk with the agent that reads it."""

    agent: Agent
    source: SourceFile


def roots_of(agent: Agent, paths: Iterable[Path] | None, home: Path) -> list[Path]:
    """Where to look: the given paths, or those of this agent's known homes that are there."""
    return list(paths) if paths is not None else existing(agent.homes(home))


def find_units(
    paths: list[Path] | None,
    home: Path,
    sources: set[str] | None = None,
    problems: list[Problem] | None = None,
    excluded: Excluded | None = None,
) -> Iterator[Found]:
    """Every readable unit once; of two agents that would read a file the first one does.

    A root that cannot be looked into is told in `problems`. What is excluded is not opened.
    """
    with excluding(excluded):
        for found in _find_units(paths, home, sources, problems, excluded):
            if excluded is None or not excluded(str(found.source.path)):
                yield found


def _find_units(
    paths: list[Path] | None,
    home: Path,
    sources: set[str] | None,
    problems: list[Problem] | None,
    excluded: Excluded | None,
) -> Iterator[Found]:
    seen: set[Path] = set()
    for agent in AGENTS:
        if sources is not None and agent.name not in sources:
            continue
        for root in roots_of(agent, paths, home):
            if excluded is not None and excluded(str(root)):
                continue
            try:
                for source in agent.session_files(root):
                    if source.path not in seen:
                        seen.add(source.path)
                        yield Found(agent, source)
            except OSError as error:
                if problems is not None:
                    problems.append(Problem(printable(root), error.strerror or str(error)))


def stat_of(path: Path) -> Stat:
    """Size and times of a file, not following a link."""
    found = os.stat(path, follow_symlinks=False)
    return Stat(str(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def printable(path: Path) -> str:
    """A path as text: file names are bytes, which need not be any."""
    return os.fsencode(path).decode("utf-8", "replace")
