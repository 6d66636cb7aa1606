"""Column types of our own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.db import models

PLACES = 9
NANO = Decimal(10) ** PLACES


class NanoUSDField(models.BigIntegerField):  # type: ignore[type-arg]
    """USD as Decimal in Python, as whole billionths in the table.

    SQLite keeps a NUMERIC as a float and sums it as one; integers are exact on both engines.
    One field holds up to 9.2 billion USD.
    """

    def from_db_value(self, value: int | None, *_: object) -> Decimal | None:
        """Billionths -> USD."""
        return None if value is None else Decimal(value) / NANO

    def to_python(self, value: Any) -> Decimal | None:
        """Whatever a form or fixture holds -> USD."""
        return None if value is None else Decimal(str(value))

    def get_prep_value(self, value: Any) -> int | None:
        """USD -> billionths."""
        return None if value is None else int((Decimal(str(value)) * NANO).to_integral_value())

    def formfield(self, **kwargs: Any) -> forms.Field | None:  # type: ignore[override]
        """An amount with its decimals."""
        plain = {"form_class": forms.DecimalField, "decimal_places": PLACES, "max_digits": 18}
        return models.Field.formfield(self, **{**plain, "min_value": None, **kwargs})
