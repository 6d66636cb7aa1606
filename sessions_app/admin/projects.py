"""Projects and who belongs to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.forms import ModelForm

from sessions_app.actions.placing import place_project
from sessions_app.admin.base import StaffRequest, TableAdmin
from sessions_app.models import Membership, Project

if TYPE_CHECKING:
    TabularInline = admin.TabularInline[Membership, Project]
else:
    TabularInline = admin.TabularInline


class MembershipInline(TabularInline):
    model = Membership
    raw_id_fields = ("user",)
    extra = 1


@admin.register(Project)
class ProjectAdmin(TableAdmin):
    """The key is what sessions are found by: it stays."""

    list_display = ("name", "key", "is_open", "created_at")
    list_filter = ("is_open",)
    search_fields = ("name", "key")
    ordering = ("name", "id")
    fields = ("name", "key", "is_open", "created_at")
    readonly_fields = ("key", "created_at")
    inlines = (MembershipInline,)

    def save_model(  # type: ignore[override]
        self, request: StaffRequest, obj: Project, form: ModelForm[Any], change: bool
    ) -> None:
        """A new project needs its row before its members; `save_related` does the rest."""
        if not change:
            obj.save()

    def save_related(  # type: ignore[override]
        self, request: StaffRequest, form: ModelForm[Any], formsets: list[Any], change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        place_project(form.instance, by=request.user)
