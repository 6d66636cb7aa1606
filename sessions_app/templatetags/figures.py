"""Filters that write numbers, sizes and times for people."""

from __future__ import annotations

from datetime import datetime
from functools import cache

from django import template
from django.forms import BoundField
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sessions_app import figures

register = template.Library()

register.filter("grouped", figures.grouped)
register.filter("short", figures.short)
register.filter("size", figures.size)
register.filter("duration", figures.duration)
register.filter("exact_time", figures.exact_time)


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """<time> with the age as text, the exact moment on hover and for programs."""
    if moment is None:
        return "–"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        figures.exact_time(moment),
        figures.ago(moment, timezone.now()),
    )


@register.filter
def styled(field: BoundField) -> SafeString:
    """The field's own widget, with our class unless it is a box to tick."""
    ticked = getattr(field.field.widget, "input_type", "") in ("checkbox", "radio")
    return field.as_widget(attrs={} if ticked else {"class": "input"})


@register.simple_tag
@cache  # a transcript has four for each tool call
def icon(name: str) -> SafeString:
    """A decorative icon from our sheet."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>',
        static("img/icons.svg"),
        name,
    )
