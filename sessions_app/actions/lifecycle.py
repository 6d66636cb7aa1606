"""Transitions of a session's status that nobody asked for: quiet, dead and living processes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sessions_app.actions.record.facts import QUIET, status_from_turn
from sessions_app.actions.transaction import write_transaction
from sessions_app.models import AgentSession, StatusChange, User
from sessions_app.records import TURN_OPEN

BATCH = 500


def settle_quiet(now: datetime, *, alive: Collection[str] = ()) -> int:
    """Active sessions from files that fell silent become completed, crashed or paused.

    `alive` are the identities whose process is known to run: those wait for their user.
    """
    settled = 0
    while True:
        with write_transaction():
            waiting = AgentSession.objects.quiet_since(now - QUIET).exclude(identity__in=alive)
            quiet = list(waiting.order_by("pk")[:BATCH])
            changed = sum(_move(session, *status_from_turn(session, now), now) for session in quiet)
        settled += changed
        if not changed:
            return settled


def settle_live(live: Mapping[str, bool], *, backend: str, collector: User, now: datetime) -> int:
    """Apply an agent's registry of running processes: identity -> whether its process lives.

    A dead process with an open turn has crashed, at once; a living one is active however
    quiet: it waits for its user.
    """
    if not live:
        return 0
    settled = 0
    with write_transaction():
        rows = AgentSession.objects.filter(
            collector=collector, backend=backend, identity__in=list(live)
        )
        for session in rows:
            if live[session.identity]:
                over = session.status in (
                    AgentSession.Status.COMPLETED, AgentSession.Status.CRASHED,
                    AgentSession.Status.PAUSED,
                )  # fmt: skip
                if over:
                    settled += _move(
                        session, AgentSession.Status.ACTIVE, "its process is running", now
                    )
            elif session.status == AgentSession.Status.ACTIVE and session.turn == TURN_OPEN:
                settled += _move(
                    session, AgentSession.Status.CRASHED,
                    "its process is gone and the last turn never ended", now,
                )  # fmt: skip
    return settled


def _move(session: AgentSession, status: str, reason: str, now: datetime) -> int:
    """One guarded transition: nothing happens when somebody else was first."""
    if status == session.status:
        return 0
    over = status in (AgentSession.Status.COMPLETED, AgentSession.Status.ERROR,
                      AgentSession.Status.CRASHED)  # fmt: skip
    moved = AgentSession.objects.filter(
        pk=session.pk, status=session.status, last_active=session.last_active
    ).update(status=status, ended_at=session.last_active if over else None)
    if moved:
        StatusChange.objects.create(session=session, status=status, at=now, reason=reason)
    return moved
