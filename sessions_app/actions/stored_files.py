"""Stored files and the rows that refer to them: none without bytes, and no bytes for ever.

References are counted, not kept: artifacts and images name their file by its hash. What nobody
names any more is swept away after a while, so that whoever stores the same bytes at this moment
finds them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings

from sessions_app.actions.bulk import in_groups
from sessions_app.actions.storage import stored_path
from sessions_app.actions.together import NotStored
from sessions_app.actions.transaction import write_transaction
from sessions_app.models import Artifact, Attachment, StoredFile

GRACE = timedelta(hours=1)  # from storing a file to naming it takes no longer
FOLDER, NAME, NEW = 2, 64, ".new-"

logger = logging.getLogger(__name__)


class BytesMissing(NotStored):
    """A stored file was swept away before anything named it: it must be sent again."""


def name_stored(sizes: dict[str, int], now: datetime) -> None:
    """Write the rows of stored files (SHA-256 -> size), in the transaction that names them.

    The rows are held until its end: a sweep waits, and then sees the names.
    """
    StoredFile.objects.bulk_create(
        [StoredFile(sha256=sha, size=size, created_at=now) for sha, size in sizes.items()],
        ignore_conflicts=True,
    )
    for hashes in in_groups(sizes):
        held = StoredFile.objects.select_for_update().filter(sha256__in=hashes)
        for sha256 in held.values_list("sha256", flat=True):
            if not stored_path(sha256).exists():
                raise BytesMissing(sha256)


def sweep(now: datetime, *, grace: timedelta = GRACE) -> int:
    """Remove every stored file that nothing names, and left-overs of cut off uploads."""
    oldest = (now - grace).timestamp()
    removed = sum(1 for path in _left_over(oldest) if _remove(path))
    old = (path.name for path in _stored() if _changed(path) < oldest)
    for hashes in in_groups(old):
        removed += len(sweep_these(hashes, now, grace=grace))
    if removed:
        logger.info("swept %d stored files that nothing named", removed)
    return removed


def sweep_these(hashes: Iterable[str], now: datetime, *, grace: timedelta = GRACE) -> list[str]:
    """Remove those of these files that nothing names; answers which."""
    wanted, oldest = set(hashes), (now - grace).timestamp()
    with write_transaction():
        rows = StoredFile.objects.select_for_update().filter(sha256__in=wanted)
        list(rows.values_list("pk"))  # held: nobody names one of them until we are through
        gone = [
            sha256
            for sha256 in sorted(wanted - named(wanted))
            if _changed(stored_path(sha256)) <= oldest
        ]
        StoredFile.objects.filter(sha256__in=gone).delete()
        for sha256 in gone:
            _remove(stored_path(sha256))
    return gone


def named(hashes: set[str]) -> set[str]:
    """Those of these hashes that an artifact or an image names."""
    held = set(Attachment.objects.filter(sha256__in=hashes).values_list("sha256", flat=True))
    return held | set(Artifact.objects.filter(sha256__in=hashes).values_list("sha256", flat=True))


def _stored() -> Iterator[Path]:
    root = Path(settings.SESSIONS_STORAGE_DIR)
    folders = sorted(root.iterdir()) if root.is_dir() else []
    for folder in folders:
        if len(folder.name) == FOLDER and folder.is_dir():
            yield from (path for path in folder.iterdir() if len(path.name) == NAME)


def _left_over(oldest: float) -> Iterator[Path]:
    root = Path(settings.SESSIONS_STORAGE_DIR)
    yield from (path for path in root.glob(f"{NEW}*") if _changed(path) < oldest)


def _changed(path: Path) -> float:
    """When it was stored last; now for one that is gone, which is nobody's to remove."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return datetime.now(UTC).timestamp()


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
