"""The command that goes on with a session, whichever agent ran it."""

from __future__ import annotations

from typing import Protocol

from sessions_app.agents import AGENTS
from sessions_app.records import SessionFacts


class Resumable(Protocol):
    """A session as a table row or as facts: both have these."""

    @property
    def backend(self) -> str: ...
    @property
    def backend_session_id(self) -> str: ...
    @property
    def work_dir(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def kind(self) -> str: ...


def has_command(backend: str) -> bool:
    """Whether one of the agents knows how to go on with this backend's sessions."""
    return any(backend in agent.backends for agent in AGENTS)


def resume_command(session: Resumable, prompt: str | None = None) -> str | None:
    """What to paste into a shell, or None; the first agent that knows the backend is asked."""
    for agent in AGENTS:
        if session.backend in agent.backends:
            facts = SessionFacts(
                session.backend,
                session.backend_session_id,
                session.work_dir,
                session.host,
                session.kind,
            )
            return agent.resume_command(facts, prompt)
    return None
