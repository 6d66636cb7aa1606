"""Artifacts: files that an agent made, by a name that is never a path of ours."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from sessions_app import border
from sessions_app.actions.leases import check_fence, hold_session
from sessions_app.actions.prepare_facts import PATH
from sessions_app.actions.record.saved import MAX_ARTIFACT
from sessions_app.actions.refusals import BadValue, TooLarge
from sessions_app.actions.snapshots import not_trashed, touch_session
from sessions_app.actions.storage import put_blocks
from sessions_app.actions.stored_files import name_stored
from sessions_app.actions.transaction import write_transaction
from sessions_app.models import AgentSession, Artifact

MOST_ARTIFACTS = 20_000  # of one session


@dataclass(frozen=True, slots=True)
class Upload:
    """Bytes that are in the storage already, and that nothing names yet."""

    path: str
    sha256: str
    size: int


def artifact_name(path: str) -> str:
    """The name under which a file is kept; raises BadValue for what could be taken for more.

    Two spellings of one accent are one name. It goes into archives, where others make it a
    path: so it is relative, goes nowhere but down, and shows what it is.
    """
    name = unicodedata.normalize("NFC", path)
    if not border.is_tame(name) or len(name.encode()) > PATH:
        raise BadValue(
            _("An artifact's name is a relative path of at most {limit} bytes.").format(limit=PATH),
            path=ascii(path[:100]),
        )
    return name


def stage_artifact(path: str, blocks: Iterable[bytes]) -> Upload:
    """Store the bytes as they come, before any transaction."""
    name = artifact_name(path)
    try:
        sha256, size = put_blocks(blocks, MAX_ARTIFACT)
    except ValueError as error:
        raise TooLarge(_("The file is too large."), limit=MAX_ARTIFACT) from error
    return Upload(name, sha256, size)


def save_artifact(
    session: AgentSession, upload: Upload, *, fence: int | None = None, now: datetime
) -> tuple[Artifact, bool]:
    """Give the stored bytes their name; (the artifact, whether it is new)."""
    with write_transaction():
        session = hold_session(session)
        not_trashed(session)
        check_fence(session, fence, now=now)
        rows = Artifact.objects.filter(session=session)
        is_new = not rows.filter(path=upload.path).exists()
        if is_new and rows.count() >= MOST_ARTIFACTS:
            raise TooLarge(_("The session has too many artifacts."), limit=MOST_ARTIFACTS)
        name_stored({upload.sha256: upload.size}, now)
        artifact, _made = Artifact.objects.update_or_create(
            session=session,
            path=upload.path,
            defaults={"sha256": upload.sha256, "size": upload.size, "received_at": now},
        )
        touch_session(session, now)
    return artifact, is_new


def delete_artifact(artifact: Artifact, *, fence: int | None = None, now: datetime) -> None:
    """Take the name away; the bytes go with the last name (see `stored_files.sweep`)."""
    with write_transaction():
        session = hold_session(artifact.session)
        not_trashed(session)
        check_fence(session, fence, now=now)
        Artifact.objects.filter(pk=artifact.pk).delete()
        touch_session(session, now)
