"""To the trash; and of ephemeral sessions nothing is left."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from sessions_app.actions.leases import check_fence, hold_session
from sessions_app.actions.refusals import Protected
from sessions_app.actions.rollup import rebuild_rollups
from sessions_app.actions.stored_files import sweep_these
from sessions_app.actions.tokens import recount_stored
from sessions_app.models import (
    AgentSession,
    Artifact,
    Attachment,
    AuditEntry,
    Message,
    RawChunk,
    RawFile,
    SessionUsage,
    ToolCall,
    Usage,
    User,
)

NO_TIME = timedelta(0)


def trash_session(
    session: AgentSession, *, by: User, now: datetime, fence: int | None = None
) -> None:
    """Out of everybody's sight; in the caller's transaction. Again it changes nothing."""
    session = hold_session(session)
    if session.trashed_at is not None:
        return
    check_fence(session, fence, now=now)
    if session.is_ephemeral:
        erase_session(session, now=now)
        return
    if session.is_protected:
        raise Protected(_("This session is protected: take the protection off first."))
    session.trashed_at = now
    session.edits += 1
    session.save(update_fields=["trashed_at", "edits"])
    AuditEntry.objects.create(
        at=now, actor=by, actor_name=by.get_username(), action="session.trash",
        target=session.short_id,
    )  # fmt: skip


def erase_session(session: AgentSession, *, now: datetime) -> None:
    """Everything of it is gone: rows, numbers, raw bytes, stored answers, its place in the audit.

    What an ephemeral session shares with others (a response that both hold) stays theirs.
    """
    files = _stored_files(session)
    _erase_usage(session)
    _erase_raw(session)
    Attachment.objects.filter(message__session=session).delete()
    ToolCall.objects.filter(session=session)._raw_delete("default")
    Message.objects.filter(session=session)._raw_delete("default")
    AuditEntry.objects.filter(target=session.short_id).delete()
    session.delete()
    # The bytes go when it is certain that the rows are gone.
    transaction.on_commit(lambda: sweep_these(files, now, grace=NO_TIME))


def _stored_files(session: AgentSession) -> set[str]:
    images = Attachment.objects.filter(message__session=session)
    files = Artifact.objects.filter(session=session)
    return {*images.values_list("sha256", flat=True), *files.values_list("sha256", flat=True)}


def _erase_usage(session: AgentSession) -> None:
    """Responses that only this session holds; one that others hold becomes theirs."""
    own = Usage.objects.filter(session=session)
    elsewhere = SessionUsage.objects.filter(usage__session=session).exclude(session=session)
    heirs: dict[int, int] = {}
    for usage, holder in elsewhere.order_by("-session").values_list("usage", "session"):
        heirs[usage] = holder
    SessionUsage.objects.filter(session=session).delete()
    own.exclude(pk__in=heirs).delete()
    for usage, holder in heirs.items():
        own.filter(pk=usage).update(session=holder)
    recount_stored(heirs.values())
    rebuild_rollups(set(heirs.values()))


def _erase_raw(session: AgentSession) -> None:
    files = RawFile.objects.filter(session=session)
    chunks = set(files.values_list("parts__chunk", flat=True)) - {None}
    files.delete()
    RawChunk.objects.filter(pk__in=chunks, parts=None).delete()
