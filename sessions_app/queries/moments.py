"""Moments as people write them: a day, a time, or a span back from now."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

SPAN = re.compile(r"(\d{1,4})([hdw])")
SPAN_HOURS = {"h": 1, "d": 24, "w": 7 * 24}


class BadValue(ValueError):
    """The message is a sentence for the person who asked."""


def moment(text: str, now: datetime, *, end_of_day: bool = False) -> datetime:
    """A day or moment in the zone of the reader, or a span back from now: 12h, 30d, 4w."""
    span = SPAN.fullmatch(text)
    try:
        if span:
            return now - timedelta(hours=int(span[1]) * SPAN_HOURS[span[2]])
        found = datetime.fromisoformat(text)
        if end_of_day and len(text) <= len("2026-11-21"):
            found += timedelta(days=1)
        if timezone.is_naive(found):
            found = timezone.make_aware(found)
        return found.astimezone(now.tzinfo)
    except (ValueError, OverflowError) as error:
        raise BadValue(
            _("“%(value)s” is no date. Write 2026-11-21, or 30d for the last 30 days.")
            % {"value": text}
        ) from error
