"""Sample sessions go as one: rows, usage, raw bytes, files, and what only they needed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import QuerySet

from sessions_app.actions.record.chunks import drop_chunks
from sessions_app.actions.storage import stored_path
from sessions_app.actions.transaction import write_transaction
from sessions_app.models import (
    AgentSession,
    Artifact,
    Attachment,
    AuditEntry,
    IngestProblem,
    Project,
    RawFile,
    RawPart,
    StoredFile,
    Tag,
    Usage,
    User,
)


def samples_of(user: User) -> QuerySet[AgentSession]:
    """The sample sessions that this person may take away."""
    samples = AgentSession.objects.filter(is_sample=True)
    return samples if user.is_superuser else samples.filter(owner=user)


def remove_samples(*, by: User, address: str = "") -> int:
    """Take every sample session away for good; answers how many there were."""
    with write_transaction():
        samples = list(samples_of(by))
        if not samples:
            return 0
        keys = [session.pk for session in samples]
        hashes = _hashes(keys)
        projects = {session.project_id for session in samples}
        tags = set(Tag.objects.filter(sessions__in=keys).values_list("pk", flat=True))
        Usage.objects.filter(session__in=keys).delete()
        _drop_raw(keys)
        AgentSession.objects.filter(pk__in=keys).delete()
        Project.objects.filter(pk__in=projects, sessions=None).delete()
        Tag.objects.filter(pk__in=tags, sessions=None).delete()
        gone = _unreferenced(hashes)
        StoredFile.objects.filter(sha256__in=gone).delete()
        AuditEntry.objects.create(
            at=datetime.now(UTC), actor=by, actor_name=by.get_username(), address=address,
            action="samples.remove", details={"sessions": [row.short_id for row in samples]},
        )  # fmt: skip
        transaction.on_commit(lambda: _unlink(gone))
    return len(samples)


def _drop_raw(sessions: list[int]) -> None:
    files = RawFile.objects.filter(session__in=sessions)
    IngestProblem.objects.filter(path__in=files.values("path")).delete()
    parts = RawPart.objects.filter(file__in=files)
    chunks = set(parts.values_list("chunk", flat=True))
    parts.delete()
    files.delete()
    drop_chunks(chunks)


def _hashes(sessions: list[int]) -> set[str]:
    images = Attachment.objects.filter(message__session__in=sessions)
    files = Artifact.objects.filter(session__in=sessions)
    return {*images.values_list("sha256", flat=True), *files.values_list("sha256", flat=True)}


def _unreferenced(hashes: set[str]) -> set[str]:
    held = set(Attachment.objects.filter(sha256__in=hashes).values_list("sha256", flat=True))
    held |= set(Artifact.objects.filter(sha256__in=hashes).values_list("sha256", flat=True))
    return hashes - held


def _unlink(hashes: Iterable[str]) -> None:
    for sha256 in hashes:
        stored_path(sha256).unlink(missing_ok=True)
