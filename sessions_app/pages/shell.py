"""What the frame around every page shows: places, theme, the person."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

THEME_COOKIE = "theme"
THEMES = ("light", "dark")  # anything else follows the system

# How this server's own commands are called, from the folder of the project.
PYTHON = Path(sys.executable)
MANAGE = (
    f"{PYTHON.relative_to(settings.BASE_DIR)} manage.py"
    if PYTHON.is_relative_to(settings.BASE_DIR)
    else "python manage.py"
)

STYLE_SHEETS = tuple(
    f"css/{name}.css"
    for name in ("variables", "base", "shell", "controls", "panels", "table", "feedback", "pages")
)


@dataclass(frozen=True, slots=True)
class Place:
    label: str
    icon: str
    url: str
    here: bool = False
    wide: bool = False  # no room in the bar of a phone: there it is in the account menu


@dataclass(frozen=True, slots=True)
class ThemeChoice:
    value: str
    label: str
    icon: str
    pressed: str


def shell(request: HttpRequest) -> dict[str, Any]:
    """The context processor behind skeleton.html and base.html."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    context: dict[str, Any] = {
        "manage": MANAGE,
        "style_sheets": STYLE_SHEETS,
        "languages": settings.LANGUAGES,  # each in its own words, whatever the page speaks
        "theme": theme if theme in THEMES else "",
    }
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return context
    return context | {
        "initial": str(user)[:1],
        "places": _places(request, user.is_staff),
        "more_places": _more_places(user.is_staff),
        "themes": _themes(context["theme"]),
    }


def _places(request: HttpRequest, is_staff: bool) -> list[Place]:
    names = [
        (_("Overview"), "overview", "overview"),
        (_("Sessions"), "sessions", "session_list"),
        (_("Search"), "search", "search"),
        (_("Ingest"), "ingest", "ingest_status"),
    ]
    places = [
        Place(label, icon, url, here=_is_here(request.path, url))
        for label, icon, url in ((label, icon, reverse(name)) for label, icon, name in names)
    ]
    if is_staff:
        places.append(Place(_("Administration"), "admin", reverse("admin:index"), wide=True))
    return places


def _is_here(path: str, url: str) -> bool:
    return path == url if url == "/" else path.startswith(url)


def _more_places(is_staff: bool) -> list[Place]:
    places = [
        Place(_("API tokens"), "terminal", reverse("tokens")),
        Place(_("Change password"), "key", reverse("account_change_password")),
    ]
    if is_staff:
        places.insert(0, Place(_("Administration"), "admin", reverse("admin:index"), wide=True))
    return places


def _themes(current: str) -> list[ThemeChoice]:
    choices = [
        ("", _("System"), "system"),
        ("light", _("Light"), "sun"),
        ("dark", _("Dark"), "moon"),
    ]
    return [
        ThemeChoice(value, label, icon, "true" if value == current else "false")
        for value, label, icon in choices
    ]
