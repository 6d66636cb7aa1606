"""Keep a search under a name, share it with a project, forget it."""

from __future__ import annotations

from datetime import datetime

from sessions_app import border
from sessions_app.actions.transaction import write_transaction
from sessions_app.models import Project, SavedSearch, User

MOST = 100  # of one person


def save_search(
    user: User, name: str, text: str, *, project: Project | None, now: datetime
) -> SavedSearch | None:
    """Save it, in the place of one of the same name; None when there are too many."""
    name = border.clean_line(name, 100)
    with write_transaction():
        mine = SavedSearch.objects.filter(owner=user)
        if mine.exclude(name=name).count() >= MOST:
            return None
        saved, _ = mine.update_or_create(
            owner=user,
            name=name,
            defaults={"text": border.clean_text(text, 1000), "project": project},
            create_defaults={
                "text": border.clean_text(text, 1000), "project": project, "created_at": now
            },
        )  # fmt: skip
    return saved


def forget_search(user: User, pk: int) -> bool:
    """Only one's own."""
    with write_transaction():
        count, _ = SavedSearch.objects.filter(owner=user, pk=pk).delete()
    return bool(count)
