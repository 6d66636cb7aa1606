"""Saved searches that a person may use."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from sessions_app.models import Project, SavedSearch, User

MOST = 50


def projects_of(user: User) -> QuerySet[Project]:
    """Those with which this person may share: as a member."""
    return Project.objects.filter(members=user)


def saved_searches(user: User) -> list[SavedSearch]:
    """One's own, and those shared with one's projects."""
    shared = Q(project__in=projects_of(user))
    rows = SavedSearch.objects.filter(Q(owner=user) | shared).select_related("project")
    return list(rows.distinct()[:MOST])
