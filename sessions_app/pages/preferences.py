"""Language and theme: chosen here, applied to every page."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST
from django.views.i18n import set_language
from django_htmx.http import trigger_client_event

from sessions_app.actions.preferences import remember_language
from sessions_app.models import User
from sessions_app.pages.render import PageRequest, wants_fragment
from sessions_app.pages.shell import THEME_COOKIE, THEMES

YEAR = 365 * 24 * 3600


@login_not_required
@require_POST
def choose_language(request: HttpRequest) -> HttpResponseBase:
    language = request.POST.get("language", "")
    if isinstance(request.user, User) and language in dict(settings.LANGUAGES):
        remember_language(request.user, language)
    return set_language(request)


@require_POST
def set_theme(request: PageRequest) -> HttpResponse:
    theme = request.POST.get("theme", "")
    theme = theme if theme in THEMES else ""
    if wants_fragment(request):
        response = trigger_client_event(HttpResponse(status=204), "theme", {"theme": theme})
    else:
        response = redirect(_safe_next(request))
    if not theme:
        response.delete_cookie(THEME_COOKIE, samesite="Lax")
        return response
    response.set_cookie(
        THEME_COOKIE,
        theme,
        max_age=YEAR,
        secure=bool(settings.SESSION_COOKIE_SECURE),
        samesite="Lax",
        httponly=True,
    )
    return response


def _safe_next(request: HttpRequest) -> str:
    target = request.POST.get("next", "")
    known = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if known else "/"
