"""Signs of life, and what becomes of sessions whose agent gives none any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from sessions_app import border
from sessions_app.actions.leases import USUAL_TTL, check_fence, hold_untrashed, renew_lease
from sessions_app.actions.prepare_facts import LINE
from sessions_app.actions.statuses import step
from sessions_app.actions.transaction import write_transaction
from sessions_app.models import AgentSession, SessionLease, User

PERIODS = 3  # silences in a row after which an agent counts as dead
BATCH = 500


@dataclass(frozen=True, slots=True)
class Beat:
    """What an agent says with a heartbeat; None = no word about it."""

    progress: float | None = None
    current_task: str | None = None
    total_steps: int | None = None
    fence: int | None = None  # of the lease that is to be renewed
    ttl: float = USUAL_TTL


@dataclass(slots=True)
class Heard:
    """The session after the heartbeat, and whether that brought it back."""

    session: AgentSession
    revived: bool
    lease: SessionLease | None


def hear(session: AgentSession, beat: Beat, *, by: User, now: datetime) -> Heard:
    """Note that the agent lives; a session that was thought crashed is active again."""
    with write_transaction():
        session = hold_untrashed(session)
        check_fence(session, beat.fence, now=now)
        revived = session.status == AgentSession.Status.CRASHED
        if session.status != AgentSession.Status.PAUSED:
            reason = "a late heartbeat: it was alive" if revived else "its first heartbeat"
            step(session, "work", reason=reason, by=by, now=now)
        lease = None
        if beat.fence is not None:
            lease = renew_lease(session, beat.fence, ttl=beat.ttl, now=now)
        _note(session, beat, now)
    return Heard(session, revived, lease)


def _note(session: AgentSession, beat: Beat, now: datetime) -> None:
    told = {
        "progress": beat.progress,
        "total_steps": beat.total_steps,
        "current_task": None
        if beat.current_task is None
        else border.clean_line(beat.current_task, LINE),
    }
    fields = ["heartbeat_at", "last_active"]
    for name, value in told.items():
        if value is not None:
            setattr(session, name, value)
            fields.append(name)
    session.heartbeat_at = now
    session.last_active = max(session.last_active, now)
    session.save(update_fields=fields)


def mark_silent(now: datetime, *, listening_since: datetime | None = None) -> int:
    """Active sessions that have missed three heartbeats have crashed; answers how many.

    Whoever is heard of meanwhile is left alone: each is looked at again under its lock. A server
    that has just started has heard of nobody yet, and gives them time.
    """
    if listening_since is not None and now - listening_since < silence():
        return 0
    silent = AgentSession.objects.without_heartbeat_since(now - silence())
    marked = 0
    while keys := list(silent.order_by("heartbeat_at").values_list("pk", flat=True)[:BATCH]):
        with write_transaction():
            rows = list(silent.select_for_update().filter(pk__in=keys).order_by("pk"))
            for session in rows:
                heard = session.heartbeat_at or now
                reason = f"no heartbeat for {round((now - heard).total_seconds())} s"
                step(session, "crash", reason=reason, by=None, now=now, ended_at=heard)
        marked += len(rows)
    return marked


def silence() -> timedelta:
    """How long nothing may be heard."""
    return PERIODS * timedelta(seconds=settings.SESSIONS_HEARTBEAT_SECONDS)
