"""Billed responses."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet

from sessions_app.admin.base import ReadOnlyAdmin, StaffRequest
from sessions_app.models import AgentSession, Usage


@admin.register(Usage)
class UsageAdmin(ReadOnlyAdmin):
    list_display = (
        *("at", "backend", "model", "input", "output", "cache_read", "cache_write", "cost"),
        *("is_recorded", "is_summary", "is_flagged"),
    )
    list_filter = ("backend", "is_recorded", "is_summary", "is_flagged")
    search_fields = ("key", "model")
    ordering = ("-id",)
    fields = tuple(field.name for field in Usage._meta.fields if field.name != "id")

    def get_queryset(self, request: StaffRequest) -> QuerySet[Usage]:  # type: ignore[override]
        """What remains of purged sessions is for superusers alone."""
        rows = Usage.objects.select_related("session")
        if request.user.is_superuser:
            return rows
        return rows.filter(session__in=AgentSession.objects.visible_to(request.user))
