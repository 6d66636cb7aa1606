"""People, how they were let in, and who did what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from sessions_app.admin.base import CappedPaginator, ReadOnlyAdmin
from sessions_app.models import AuditEntry, SignInLink, User

if TYPE_CHECKING:
    PeopleAdmin = UserAdmin[User]
else:
    PeopleAdmin = UserAdmin


@admin.register(User)
class PersonAdmin(PeopleAdmin):
    """Who leaves is switched off: sessions, history and spending keep their names."""

    fieldsets = (
        *(UserAdmin.fieldsets or ()),
        (_("Preferences"), {"fields": ("language", "time_zone")}),
    )
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_staff")
    paginator = CappedPaginator
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(SignInLink)
class SignInLinkAdmin(ReadOnlyAdmin):
    """Without the digest: nobody needs to see even that."""

    list_display = ("user", "expires_at", "used_at")
    list_select_related = ("user",)
    ordering = ("-id",)
    fields = ("user", "expires_at", "used_at")


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor_name", "action", "target", "address")
    list_filter = ("action",)
    search_fields = ("actor_name", "target", "address")
    date_hierarchy = "at"
    ordering = ("-id",)
    fields = ("at", "actor", "actor_name", "address", "action", "target", "details")
