"""Who may come in, and in which language and time zone they are answered."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import resolve_url
from django.utils import timezone, translation
from django_htmx.http import HttpResponseClientRedirect

from sessions_app.models import User

View = Callable[..., HttpResponseBase]


class SignInMiddleware(LoginRequiredMiddleware):
    """Every page is for people who signed in, unless its view says otherwise."""

    def process_view(
        self, request: HttpRequest, view: View, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        # Asked first: a health check must not need the database to learn who is there.
        if not getattr(view, "login_required", True) or is_api(request):
            return None
        refused = super().process_view(request, view, args, kwargs)
        if refused is not None and request.headers.get("HX-Request") == "true":
            # htmx would put the sign-in form into a corner of the page: the browser must go there.
            return HttpResponseClientRedirect(resolve_url(settings.LOGIN_URL))
        return refused


def is_api(request: HttpRequest) -> bool:
    """Whether the API answers, which has tokens and errors of its own."""
    return request.resolver_match is not None and "api" in request.resolver_match.namespaces


class PreferencesMiddleware:
    """Speak the person's language and show their time."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        timezone.deactivate()
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: View, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        if not getattr(view, "login_required", True) or not isinstance(request.user, User):
            return
        if request.user.language in dict(settings.LANGUAGES):
            translation.activate(request.user.language)
            request.LANGUAGE_CODE = request.user.language
        zone = _zone(request.user.time_zone)
        if zone:
            timezone.activate(zone)


def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (OSError, ValueError, KeyError):  # a folder, a bad path, an unknown name
        return None
