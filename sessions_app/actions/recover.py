"""Going on with a session whose agent died: who may, and from where."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sessions_app import border
from sessions_app.actions.leases import Wanted, check_fence, hold_untrashed, take_lease
from sessions_app.actions.snapshots import Latest, latest_snapshot
from sessions_app.actions.statuses import step
from sessions_app.actions.transaction import write_transaction
from sessions_app.models import AgentSession, SessionLease, Snapshot, User

REASON = 200  # characters of a holder's name in the history


@dataclass(slots=True)
class Recovery:
    """A session to go on with: its last good state, and after which message that was saved."""

    session: AgentSession
    was: str  # its status before
    lease: SessionLease | None
    latest: Latest
    after_seq: int


def recover_session(
    session: AgentSession,
    *,
    wanted: Wanted | None = None,
    fence: int | None = None,
    by: User,
    now: datetime,
) -> Recovery:
    """Open it again and tell from where to go on; recovering twice is the same as once.

    With `wanted` it takes the lease first: of two who recover at once, one is refused.
    """
    with write_transaction():
        session = hold_untrashed(session)
        lease = None
        if wanted is None or fence is not None:
            check_fence(session, fence, now=now)
        if wanted is not None:
            lease = take_lease(session, wanted, now=now)
        was = str(session.status)
        who = border.clean_line(wanted.holder if wanted else by.get_username(), REASON)
        is_new = step(session, "work", reason=f"recovered by {who}", by=by, now=now)
        if not is_new and session.heartbeat_at is not None:
            # Whoever fell silent is not the one who goes on: he would be marked for his silence.
            session.heartbeat_at = None
            session.save(update_fields=["heartbeat_at"])
    latest = latest_snapshot(session)
    return Recovery(session, was, lease, latest, saved_after(session, latest.snapshot))


def saved_after(session: AgentSession, snapshot: Snapshot | None) -> int:
    """The last message that a snapshot knows of; 0 where that is not known.

    One from a file does not tell: there the times decide.
    """
    if snapshot is None:
        return 0
    if snapshot.at_seq is not None:
        return snapshot.at_seq
    if snapshot.at is None:
        return 0
    before = session.messages.filter(at__lte=snapshot.at).order_by("-seq")
    return before.values_list("seq", flat=True).first() or 0
