"""Which tags there are, as far as somebody may see."""

from __future__ import annotations

from django.db.models import Count

from sessions_app.models import SessionTag
from sessions_app.models.session import SessionQuerySet
from sessions_app.queries.access import Person

MOST = 1000


def count_tags(user: Person, among: SessionQuerySet) -> list[tuple[str, int]]:
    """(tag, sessions) of the visible sessions, the most used first."""
    links = SessionTag.objects.filter(session__in=among.visible_to(user))
    counted = links.values_list("tag__name").annotate(count=Count("pk"))
    return list(counted.order_by("-count", "tag__name")[:MOST])
