"""Problems of the ingest that somebody has seen and need not see again."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from sessions_app.actions.transaction import write_transaction
from sessions_app.models import User
from sessions_app.queries.access import files_of, problems_of

NO_READER = -1


def dismiss(*, by: User, ids: Collection[int] | None = None, source: str = "") -> int:
    """Hide these, or without `ids` all (of one source); answers how many.

    Only what this person may see. A problem comes back when its file changes and still has it.
    """
    wanted = problems_of(by)
    if ids is not None:
        wanted = wanted.filter(pk__in=ids)
    if source:
        wanted = wanted.filter(source=source)
    with write_transaction():
        return wanted.update(dismissed_at=datetime.now(UTC))


def retry(*, by: User, ids: Collection[int], host: str) -> int:
    """Have the files of these problems read anew by the next run; answers how many files.

    Only those that this machine has read: the others are not here to be read.
    """
    paths = problems_of(by).filter(pk__in=ids).values_list("path", flat=True)
    told = files_of(by).filter(host=host, path__in=paths)
    mains = {main or path for path, main in told.values_list("path", "main_path")}
    with write_transaction():
        # As if an older reader had read it: that is read from the start.
        return files_of(by).filter(host=host, path__in=mains).update(reader_version=NO_READER)
