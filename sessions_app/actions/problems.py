"""Problems of the ingest that somebody has seen and need not see again."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from sessions_app.actions.transaction import write_transaction
from sessions_app.models import User
from sessions_app.queries.access import problems_of


def dismiss(*, by: User, ids: Collection[int] | None = None, source: str = "") -> int:
    """Hide these, or without `ids` all (of one source); answers how many.

    Only what this person may see. A problem that shows up again in a later reading comes back.
    """
    wanted = problems_of(by)
    if ids is not None:
        wanted = wanted.filter(pk__in=ids)
    if source:
        wanted = wanted.filter(source=source)
    with write_transaction():
        return wanted.update(dismissed_at=datetime.now(UTC))
