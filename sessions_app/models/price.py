"""Prices of our own, and other names of models; whatever they leave open a shipped table tells."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from sessions_app.models.fields import NanoUSDField

LONG_CONTEXT = "[1m]"  # how Claude Code marks the larger window; the price is the model's


def model_name(name: str) -> str:
    """As prices know it, however an agent writes it."""
    return name.strip().lower().removesuffix(LONG_CONTEXT)


def _rate(label: Any, help_text: Any = "", **more: Any) -> NanoUSDField:
    positive = MinValueValidator(Decimal(0))
    return NanoUSDField(label, help_text=help_text, validators=[positive], **more)


class PriceOverride(models.Model):
    """What a model costs here, from a day on, in USD for a million tokens.

    `model` is a name, or a pattern in which `*` stands for anything.
    """

    model = models.CharField(_("model"), max_length=200, help_text=_("* stands for anything"))
    backend = models.CharField(
        _("backend"), max_length=32, blank=True, help_text=_("empty: whichever agent used it")
    )
    effective_from = models.DateField(
        _("effective from"), null=True, blank=True, help_text=_("in UTC; empty: always")
    )
    input = _rate(_("input"))
    output = _rate(_("output"))
    cache_read = _rate(_("cache read"), _("empty: as input"), null=True, blank=True)
    cache_write = _rate(_("cache write, 5 minutes"), _("empty: as input"), null=True, blank=True)
    cache_write_1h = _rate(
        _("cache write, 1 hour"), _("empty: as for 5 minutes"), null=True, blank=True
    )
    note = models.CharField(_("note"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        constraints = [
            models.UniqueConstraint(
                fields=["model", "backend", "effective_from"], name="price_once_a_day"
            ),
            models.UniqueConstraint(
                fields=["model", "backend"],
                condition=Q(effective_from=None),
                name="price_once_always",
            ),
            models.CheckConstraint(condition=Q(input__gte=0, output__gte=0), name="price_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.effective_from or ''}".strip()

    def clean(self) -> None:
        """Names are compared without case."""
        self.model, self.backend = model_name(self.model), self.backend.strip().lower()
        if not self.model:
            raise ValidationError({"model": _("Name a model.")})


class ModelAlias(models.Model):
    """Another name of a model: what a proxy or a settings file calls it."""

    name = models.CharField(_("name"), max_length=200, unique=True)
    model = models.CharField(
        _("model"), max_length=200, help_text=_("the name under which its price is known")
    )

    class Meta:
        verbose_name = _("model alias")
        verbose_name_plural = _("model aliases")

    def __str__(self) -> str:
        return f"{self.name} = {self.model}"

    def clean(self) -> None:
        """Names are compared without case; an alias of an alias leads nowhere."""
        self.name, self.model = model_name(self.name), model_name(self.model)
        if not self.name:
            raise ValidationError({"name": _("Name a model.")})
        if ModelAlias.objects.filter(name=self.model).exists() or self.name == self.model:
            raise ValidationError({"model": _("This is an alias itself.")})


class PriceEdition(models.Model):
    """One row: a random word that changes with every change of prices and aliases.

    Who holds prices in memory asks whether they still hold. Random, because a number that was
    rolled back comes again for something else.
    """

    token = models.CharField(max_length=32)

    def __str__(self) -> str:
        return self.token
