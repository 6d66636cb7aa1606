"""Prices of our own and other names of models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.utils.translation import gettext as _

from sessions_app.actions.prices import PriceRow, delete_prices, price_book, save_price
from sessions_app.admin.base import CappedPaginator, ModelAdmin, StaffRequest
from sessions_app.models import ModelAlias, PriceOverride

if TYPE_CHECKING:
    AliasModelForm = ModelForm[ModelAlias]
else:
    AliasModelForm = ModelForm

RATES = ("input", "output", "cache_read", "cache_write", "cache_write_1h")


class PriceRowAdmin(ModelAdmin):
    """Every change goes through the actions, so that running processes learn of it."""

    list_per_page = 50
    paginator = CappedPaginator
    show_full_result_count = False

    def save_model(  # type: ignore[override]
        self, request: StaffRequest, obj: PriceRow, form: ModelForm[Any], change: bool
    ) -> None:
        save_price(obj, by=request.user)

    def delete_model(self, request: StaffRequest, obj: PriceRow) -> None:  # type: ignore[override]
        delete_prices([obj], by=request.user)

    def delete_queryset(  # type: ignore[override]
        self, request: StaffRequest, queryset: QuerySet[Any]
    ) -> None:
        delete_prices(queryset, by=request.user)


@admin.register(PriceOverride)
class PriceOverrideAdmin(PriceRowAdmin):
    list_display = ("model", "backend", "effective_from", *RATES, "note")
    list_filter = ("backend",)
    search_fields = ("model", "note")
    ordering = ("model", "backend", "-effective_from")
    fields = ("model", "backend", "effective_from", *RATES, "note")


class AliasForm(AliasModelForm):
    def clean_model(self) -> str:
        """An alias of a model without a price would price nothing."""
        model: str = self.cleaned_data["model"]
        if not price_book().knows(model):
            raise forms.ValidationError(_("No price is known for this model."))
        return model


@admin.register(ModelAlias)
class ModelAliasAdmin(PriceRowAdmin):
    form = AliasForm
    list_display = ("name", "model")
    search_fields = ("name", "model")
    ordering = ("name",)
    fields = ("name", "model")
