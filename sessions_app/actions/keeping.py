"""Keeping sessions: protected from cleaning, and back out of the trash."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from sessions_app.actions.leases import check_fence, hold_session, hold_untrashed
from sessions_app.actions.refusals import NameTaken
from sessions_app.actions.transaction import write_transaction
from sessions_app.models import AgentSession, AuditEntry, StatusChange, User


def protect_session(
    session: AgentSession, on: bool, *, fence: int | None = None, by: User, now: datetime
) -> AgentSession:
    """Keep it from being cleaned, or no longer."""
    with write_transaction():
        session = hold_untrashed(session)
        check_fence(session, fence, now=now)
        if session.is_protected != on:
            session.is_protected = on
            AgentSession.objects.filter(pk=session.pk).update(is_protected=on, edits=F("edits") + 1)
            session.refresh_from_db(fields=["edits"])
            _audit("session.protect" if on else "session.unprotect", session, by, now)
    return session


def restore_session(session: AgentSession, *, by: User, now: datetime) -> AgentSession:
    """Back out of the trash, with the status that it had; once back it stays as it is."""
    with write_transaction():
        session = hold_session(session)
        if session.trashed_at is None:
            return session
        session.trashed_at = None
        fields = ["trashed_at"]
        if session.status == AgentSession.Status.EXPIRED:
            session.status = _status_before(session)
            fields.append("status")
            StatusChange.objects.create(
                session=session, status=session.status, at=now, actor=by,
                reason="restored from the trash",
            )  # fmt: skip
        try:
            with transaction.atomic():
                session.save(update_fields=fields)
        except IntegrityError as error:
            raise NameTaken(
                format_lazy(
                    _("Another session is called “{name}” now; rename that one first."),
                    name=session.name,
                ),
                name=session.name,
            ) from error
        _audit("session.restore", session, by, now)
    return session


def _status_before(session: AgentSession) -> str:
    changes = session.status_changes.exclude(status=AgentSession.Status.EXPIRED).order_by("-pk")
    return changes.values_list("status", flat=True).first() or AgentSession.Status.COMPLETED


def _audit(action: str, session: AgentSession, by: User, now: datetime) -> None:
    AuditEntry.objects.create(
        at=now.astimezone(UTC), actor=by, actor_name=by.get_username(), action=action,
        target=session.short_id,
    )  # fmt: skip
