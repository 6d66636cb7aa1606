"""What all our tables share here: work that follows the page, and nothing deleted by accident."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from sessions_app.models import User

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    RowPaginator = Paginator[Any]
else:
    ModelAdmin = admin.ModelAdmin
    RowPaginator = Paginator

PAGES = 100


class StaffRequest(HttpRequest):
    """Nobody else gets in."""

    user: User


class CappedPaginator(RowPaginator):
    """Counts no further than the pages that anybody would turn."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Model] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[: PAGES * self.per_page].count()


class TableAdmin(ModelAdmin):
    """Rows are neither added nor deleted here."""

    list_per_page = 50
    list_max_show_all = 50
    paginator = CappedPaginator
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyAdmin(TableAdmin):
    """Rows are only looked at."""

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
