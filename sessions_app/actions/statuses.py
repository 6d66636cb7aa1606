"""Statuses: which may follow which, and the one guarded step from one to the next."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from sessions_app import border
from sessions_app.actions.leases import check_fence, hold_untrashed
from sessions_app.actions.prepare_facts import LONG, small
from sessions_app.actions.refusals import Refused, SessionClosed, WrongStatus
from sessions_app.actions.transaction import write_transaction
from sessions_app.actions.trash import erase_session
from sessions_app.models import AgentSession, StatusChange, User

REASON = 300  # characters

Status = AgentSession.Status
OVER = frozenset({Status.COMPLETED, Status.ERROR, Status.CRASHED})
# What ended on purpose opens again only when somebody says so: `resume`.
CLOSED = frozenset({Status.COMPLETED, Status.ERROR, Status.EXPIRED})

# verb -> (the status after it, the statuses before it)
STEPS: dict[str, tuple[Status, frozenset[Status]]] = {
    "pause": (Status.PAUSED, frozenset({Status.CREATED, Status.ACTIVE})),
    "complete": (
        Status.COMPLETED,
        frozenset({Status.CREATED, Status.ACTIVE, Status.PAUSED, Status.CRASHED}),
    ),
    "fail": (
        Status.ERROR,
        frozenset({Status.CREATED, Status.ACTIVE, Status.PAUSED, Status.CRASHED}),
    ),
    "crash": (Status.CRASHED, frozenset({Status.CREATED, Status.ACTIVE, Status.PAUSED})),
    "resume": (
        Status.ACTIVE,
        frozenset({Status.CREATED, Status.PAUSED, Status.CRASHED, Status.COMPLETED, Status.ERROR}),
    ),
    # What an agent does shows that it is at work: an append, a heartbeat, a recovery.
    "work": (Status.ACTIVE, frozenset({Status.CREATED, Status.PAUSED, Status.CRASHED})),
}


def change_status(
    session: AgentSession,
    verb: str,
    *,
    by: User | None,
    now: datetime,
    reason: str = "",
    fence: int | None = None,
    error: str = "",
    exit_code: int | None = None,
) -> AgentSession:
    """Do what somebody asked for. Asked again it changes nothing.

    Raises WrongStatus where it does not fit.
    """
    facts = {"error": border.clean_text(error, LONG), "exit_code": small(exit_code)}
    reason = border.clean_line(reason, REASON)
    with write_transaction():
        session = hold_untrashed(session)
        check_fence(session, fence, now=now)
        step(session, verb, reason=reason or f"asked for: {verb}", by=by, now=now, **facts)
    return session


def step(
    session: AgentSession, verb: str, *, reason: str, by: User | None, now: datetime, **facts: Any
) -> bool:
    """The change in the caller's transaction, which holds `session`; False: it is so already.

    Of an ephemeral session that ends nothing is left: it has no primary key any more.
    """
    after, before = STEPS[verb]
    if session.status == after:
        return False
    facts = {
        "status": after,
        "ended_at": now if after in OVER else None,
        # Whoever goes on need not send heartbeats; if he does, the next one counts.
        "heartbeat_at": None,
        **facts,
    }
    if after == Status.ACTIVE:
        facts["last_active"] = max(session.last_active, now)
    rows = AgentSession.objects.filter(pk=session.pk, status__in=before)
    if session.status not in before or not rows.update(**facts):
        raise _refusal(session, verb, before)
    for name, value in facts.items():
        setattr(session, name, value)
    if session.is_ephemeral and after in OVER:
        erase_session(session, now=now)
        return True
    StatusChange.objects.create(session=session, status=after, at=now, actor=by, reason=reason)
    return True


def _refusal(session: AgentSession, verb: str, before: frozenset[Status]) -> Refused:
    if verb == "work":
        return SessionClosed(
            format_lazy(
                _("The session is over ({status}): resume it first."), status=session.status
            ),
            status=str(session.status),
        )
    return WrongStatus(
        format_lazy(
            _("A session that is {status} cannot be changed by “{verb}”."),
            status=session.status,
            verb=verb,
        ),
        status=str(session.status),
        allowed_from=sorted(before),
    )
