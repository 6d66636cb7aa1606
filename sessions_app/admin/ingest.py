"""What was read from disk, and what could not be."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from sessions_app.actions.problems import dismiss
from sessions_app.admin.base import ReadOnlyAdmin, StaffRequest
from sessions_app.models import IngestProblem, IngestRun, RawFile

RAW_FILE_HIDDEN = ("id", "reader_state", "head_size", "head_hash", "tail_hash")


@admin.register(RawFile)
class RawFileAdmin(ReadOnlyAdmin):
    list_display = (
        "path",
        "source",
        "host",
        "size",
        "line",
        "generation",
        "last_read_at",
        "failed",
    )
    list_filter = ("source", "failed")
    search_fields = ("path",)
    ordering = ("-id",)
    fields = tuple(
        field.name for field in RawFile._meta.fields if field.name not in RAW_FILE_HIDDEN
    )


@admin.register(IngestRun)
class IngestRunAdmin(ReadOnlyAdmin):
    list_display = (
        *("started_at", "status", "host", "files_seen", "files_parsed", "files_failed"),
        *("sessions_created", "sessions_updated", "messages", "bytes"),
    )
    list_filter = ("status",)
    ordering = ("-id",)
    fields = tuple(field.name for field in IngestRun._meta.fields if field.name != "id")


@admin.register(IngestProblem)
class IngestProblemAdmin(ReadOnlyAdmin):
    list_display = ("path", "line", "reason", "source", "seen_at", "dismissed_at")
    list_filter = ("source", ("dismissed_at", admin.EmptyFieldListFilter))
    search_fields = ("path", "reason")
    ordering = ("-id",)
    fields = tuple(field.name for field in IngestProblem._meta.fields if field.name != "id")
    actions = ("dismiss_problems",)

    @admin.action(description=_("Dismiss"), permissions=["view"])
    def dismiss_problems(self, request: StaffRequest, rows: QuerySet[IngestProblem]) -> None:
        count = dismiss(by=request.user, ids=list(rows.values_list("pk", flat=True)))
        sentence = ngettext("%(count)d problem dismissed.", "%(count)d problems dismissed.", count)
        self.message_user(request, sentence % {"count": count}, messages.SUCCESS)
