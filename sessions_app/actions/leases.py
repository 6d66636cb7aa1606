"""Leases: take, renew, give back, and the check that stands in every write to a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.http import Http404
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from sessions_app import border
from sessions_app.actions.refusals import SessionLocked, StaleFence
from sessions_app.actions.transaction import write_transaction
from sessions_app.models import AgentSession, AuditEntry, SessionLease, User

HOLDER = 200  # characters
USUAL_TTL, LONGEST_TTL = 30.0, 3600.0  # seconds

Mode = SessionLease.Mode
ROW = f'SELECT * FROM "{AgentSession._meta.db_table}" WHERE id = %s'
LEASES = f'SELECT id FROM "{SessionLease._meta.db_table}" WHERE session_id = %s'


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who wants a lease, of which kind and for how long."""

    holder: str
    by: User
    mode: str = Mode.EXCLUSIVE
    ttl: float = USUAL_TTL

    @property
    def name(self) -> str:
        """The holder's name as it is stored."""
        return border.clean_line(self.holder, HOLDER)

    def is_held_by(self, lease: SessionLease) -> bool:
        """Whether it is the same holder who has this lease."""
        return (lease.user_id, lease.holder) == (self.by.pk, self.name)

    def until(self, now: datetime) -> datetime:
        return now + timedelta(seconds=min(self.ttl, LONGEST_TTL))


def hold_session(session: AgentSession) -> AgentSession:
    """The session as it is now; until the end of the transaction nobody else changes it.

    Whoever takes a lease holds the session first: what `check_fence` answers stays true until
    the write that follows it is committed. On SQLite the transaction alone does that.
    """
    held = " FOR UPDATE" if connection.features.has_select_for_update else ""
    # By hand: to build this statement anew costs the ORM more than everything else in a write.
    rows = list(AgentSession.objects.raw(f"{ROW}{held}", [session.pk]))
    if not rows:  # an ephemeral one that has ended meanwhile
        raise Http404(_("No such session."))
    return rows[0]


def hold_untrashed(session: AgentSession) -> AgentSession:
    """The same, where what lies in the trash does not exist."""
    held = hold_session(session)
    if held.trashed_at is not None:
        raise Http404(_("No such session."))
    return held


def check_fence(session: AgentSession, fence: int | None, *, now: datetime) -> None:
    """Refuse a write by whom the lock was taken from, or who has none while somebody has.

    To be called in the transaction that writes, once the session is held.
    """
    if fence is None and not _has_lease(session):
        return
    live = SessionLease.objects.live(now).filter(session=session)
    if fence is not None:
        if not live.filter(pk=fence).exists():
            raise StaleFence(_("This lock is over: take it anew."), fence=fence)
        return
    holder = live.exclusive().first()
    if holder is not None:
        raise _locked(holder)


def _has_lease(session: AgentSession) -> bool:
    """A quick look: most sessions never have one."""
    with connection.cursor() as cursor:
        cursor.execute(f"{LEASES} LIMIT 1", [session.pk])
        return cursor.fetchone() is not None


def take_lease(session: AgentSession, wanted: Wanted, *, now: datetime) -> SessionLease:
    """Take the lease, or raise SessionLocked at once.

    A holder who comes again gets a new number, and the old one is stale: its process may have
    died without a word, and if it did not, only one of the two can write.
    """
    with write_transaction():
        session = hold_untrashed(session)
        over = []
        for lease in SessionLease.objects.filter(session=session).order_by("pk"):
            if lease.expires_at <= now or wanted.is_held_by(lease):
                over.append(lease)
            elif Mode.EXCLUSIVE in (lease.mode, wanted.mode):
                raise _locked(lease)
        SessionLease.objects.filter(pk__in=[lease.pk for lease in over]).delete()
        new = SessionLease.objects.create(
            session=session, user=wanted.by, holder=wanted.name, mode=wanted.mode,
            acquired_at=now, expires_at=wanted.until(now),
        )  # fmt: skip
        AuditEntry.objects.bulk_create(
            _taken_over(session, old, new) for old in over if not wanted.is_held_by(old)
        )
    return new


def renew_lease(
    session: AgentSession, fence: int, *, ttl: float = USUAL_TTL, now: datetime
) -> SessionLease:
    """Hold it longer; what has run out or was taken over stays lost."""
    with write_transaction():
        session = hold_untrashed(session)
        check_fence(session, fence, now=now)
        lease = SessionLease.objects.get(pk=fence)
        lease.expires_at = now + timedelta(seconds=min(ttl, LONGEST_TTL))
        lease.save(update_fields=["expires_at"])
    return lease


def release_lease(session: AgentSession, fence: int) -> None:
    """Give it back; one that has run out, but that nobody has taken since, goes as well."""
    with write_transaction():
        gone, _rows = SessionLease.objects.filter(pk=fence, session=session).delete()
    if not gone:
        raise StaleFence(_("This lock is over: there is nothing to give back."), fence=fence)


def is_taken(session: AgentSession, wanted: Wanted, *, now: datetime) -> bool:
    """Whether somebody else's lease stands in the way; a look without a write."""
    live = SessionLease.objects.live(now).filter(session=session)
    if wanted.mode == Mode.SHARED:
        live = live.exclusive()
    return live.exclude(user=wanted.by, holder=wanted.name).exists()


def _locked(lease: SessionLease) -> SessionLocked:
    until = lease.expires_at.astimezone(UTC)
    return SessionLocked(
        format_lazy(
            _("Locked by {holder} until {time}."),
            holder=lease.holder,
            time=f"{until:%Y-%m-%d %H:%M:%S} UTC",
        ),
        holder=lease.holder,
        mode=str(lease.mode),
        expires_at=until,
    )


def _taken_over(session: AgentSession, old: SessionLease, new: SessionLease) -> AuditEntry:
    return AuditEntry(
        at=new.acquired_at,
        actor=new.user,
        actor_name=new.user.get_username(),
        action="lease.take_over",
        target=session.short_id,
        details={
            "from": old.holder,
            "fence": old.pk,
            "expired_at": old.expires_at.isoformat(),
            "to": new.holder,
            "new_fence": new.pk,
        },
    )
