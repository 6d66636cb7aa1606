"""How numbers, money, sizes and times are written for people."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
CENT = Decimal("0.01")


class Cost(NamedTuple):
    """`text` for the place itself, `title` for who wants to know exactly."""

    text: str
    title: str


def grouped(number: int) -> str:
    """1234567 -> 1,234,567."""
    return f"{number:,}"


def short(number: int) -> str:
    """1234 -> 1.2k, 3400000 -> 3.4M; below a thousand as it is."""
    return str(number) if number < 1000 else _scaled(number, ("k", "M", "B", "T"))


def size(count: int) -> str:
    """1234 -> 1.2 kB."""
    return f"{count} B" if count < 1000 else _scaled(count, (" kB", " MB", " GB", " TB"))


def _scaled(number: int, units: tuple[str, ...]) -> str:
    step = 0
    value = number / 1000
    while value >= 999.5 and step < len(units) - 1:
        value /= 1000
        step += 1
    return f"{value:.1f}{units[step]}" if value < 99.95 else f"{value:,.0f}{units[step]}"


def dollars(amount: Decimal) -> str:
    """0.2531 -> $0.25, 0.003 -> <$0.01."""
    if 0 < amount < CENT:
        return "<$0.01"
    return f"${amount.quantize(CENT):,}"


def cost(amount: Decimal, *, unpriced: int = 0, tokens: int = 0) -> Cost:
    """What `tokens` cost; a sum with an unpriced part never looks complete."""
    if not amount and not unpriced and not tokens:
        return Cost("–", no_usage())
    if unpriced and not amount:
        return Cost(_("no price"), _("No price is known for the models used"))
    exact = f"${amount.normalize():,f}" if amount else "$0"
    if unpriced:
        title = ngettext(
            "At least %(amount)s: %(count)s response is of a model without a price",
            "At least %(amount)s: %(count)s responses are of models without a price",
            unpriced,
        )
        return Cost(f"≥ {dollars(amount)}", title % {"amount": exact, "count": grouped(unpriced)})
    return Cost(dollars(amount), exact)


def no_usage() -> str:
    """Why there is nothing to count."""
    if settings.SESSIONS_STORE_TOKEN_USAGE:
        return _("No usage recorded")
    return _("Tokens and costs are not kept here")


def duration(seconds: float) -> str:
    """812.4 -> 13 min 32 s."""
    whole = max(round(seconds), 0)
    if whole < MINUTE:
        return _("%(s)d s") % {"s": whole}
    if whole < HOUR:
        return _("%(min)d min %(s)d s") % {"min": whole // MINUTE, "s": whole % MINUTE}
    if whole < DAY:
        return _("%(h)d h %(min)d min") % {"h": whole // HOUR, "min": whole % HOUR // MINUTE}
    return _("%(d)d d %(h)d h") % {"d": whole // DAY, "h": whole % DAY // HOUR}


def exact_time(moment: datetime) -> str:
    """In the zone of the reader: 2026-11-21 11:56:03 CET."""
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S %Z")


def ago(moment: datetime, now: datetime) -> str:
    """3 min ago; after a week the day."""
    seconds = (now - moment).total_seconds()
    if seconds < MINUTE:
        return _("just now")
    if seconds < HOUR:
        return _("%(min)d min ago") % {"min": seconds // MINUTE}
    if seconds < DAY:
        return _("%(h)d h ago") % {"h": seconds // HOUR}
    if seconds < 7 * DAY:
        return _("%(d)d d ago") % {"d": seconds // DAY}
    return day(moment, now)


def day(moment: datetime, now: datetime) -> str:
    """12 Nov; with the year when it is another one."""
    local = timezone.localtime(moment)
    this_year = local.year == timezone.localtime(now).year
    return _day(local.date(), this_year=this_year, language=get_language() or "")


@lru_cache(maxsize=4096)
def _day(date: date, *, this_year: bool, language: str) -> str:
    """Kept by language: formatting a date takes as long as the rest of a row of a list."""
    if this_year:
        return date_format(date, pgettext("date format of a day in this year", "j M"))
    return date_format(date, pgettext("date format of a day in another year", "j M Y"))
