"""One view, two answers: the whole page, or only the region that htmx asked for."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.http import trigger_client_event
from django_htmx.middleware import HtmxDetails

from sessions_app.models import User

VARY = ("HX-Request", "HX-Boosted", "HX-History-Restore-Request")


class PageRequest(HttpRequest):
    """A request of somebody who signed in, as the middleware hands it to a view."""

    user: User
    htmx: HtmxDetails


def wants_fragment(request: PageRequest) -> bool:
    """Whether htmx asked for a region: a boosted link and a history restore need the page."""
    htmx = request.htmx
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def render_page(
    request: PageRequest, page: str, fragment: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    template = fragment if wants_fragment(request) else page
    response = render(request, template, context, status=status)
    patch_vary_headers(response, VARY)
    return response


def with_toast(response: HttpResponse, message: str, level: str = "success") -> HttpResponse:
    """Have the browser show `message` after an htmx answer."""
    return trigger_client_event(response, "toast", {"message": message, "level": level})
