"""Where a page of a list starts: opaque to the reader, checked when it comes back."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from sessions_app.border import MAX_INT

KeyValue = datetime | Decimal | int | float


class Cursor(NamedTuple):
    """The row beside which the page starts, and what the reader was told so far."""

    sort: str
    backwards: bool
    value: KeyValue
    pk: int
    position: int  # rows before the page
    total: int


class BrokenCursor(ValueError):
    """It was not made here, or for another order."""


def write_cursor(cursor: Cursor) -> str:
    value = cursor.value
    shown = value.isoformat() if isinstance(value, datetime) else str(value)
    parts = [cursor.sort, int(cursor.backwards), shown, cursor.pk, cursor.position, cursor.total]
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def read_cursor(text: str, sort: str, kind: type[KeyValue]) -> Cursor:
    """Raises BrokenCursor for whatever `write_cursor` would not have written for this order."""
    try:
        padded = text + "=" * (-len(text) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        made_for, backwards, shown, *numbers = parts
        pk, position, total = (_count(number) for number in numbers)
        value = _value(str(shown), kind)
    except (ValueError, TypeError, InvalidOperation, binascii.Error, RecursionError) as error:
        raise BrokenCursor(text) from error
    if made_for != sort:
        raise BrokenCursor(text)
    return Cursor(sort, bool(backwards), value, pk, position, total)


def _count(number: Any) -> int:
    if type(number) is not int or not 0 <= number <= MAX_INT:
        raise ValueError(number)
    return number


def _value(shown: str, kind: type[KeyValue]) -> KeyValue:
    if kind is datetime:
        moment = datetime.fromisoformat(shown)
        if moment.tzinfo is None:
            raise ValueError(shown)
        return moment
    if kind is Decimal:
        amount = Decimal(shown)
        if not amount.is_finite() or not 0 <= amount < 10**9:
            raise ValueError(shown)
        return amount
    if kind is float:
        number = float(shown)
        if not abs(number) < 1e300:  # neither NaN nor infinite
            raise ValueError(shown)
        return number
    return _count(int(shown))
