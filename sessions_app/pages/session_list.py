"""The list of sessions."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_htmx.http import push_url

from sessions_app.pages.list_toolbar import menu, toolbar
from sessions_app.pages.list_view import addresses, columns
from sessions_app.pages.render import PageRequest, render_page, wants_fragment
from sessions_app.pages.session_rows import rows_html
from sessions_app.queries.choices import CHOICES
from sessions_app.queries.lists import list_sessions

PAGE = "session_list/page.html"
TABLE = "session_list/_session_table.html"


@require_safe
def session_list(request: PageRequest) -> HttpResponse:
    now = timezone.now()
    page = list_sessions(request.user, request.GET, now=now)
    links = addresses(request.path, request.GET, page)
    context: dict[str, Any] = {
        "page": page,
        "links": links,
        "columns": columns(request.path, request.GET, page.sort),
        "rows": rows_html(page.rows, now),
        "has_samples": any(row.session.is_sample for row in page.rows),
    }
    if wants_fragment(request):
        return push_url(render_page(request, PAGE, TABLE, context), links.here)
    context["toolbar"] = toolbar(request.GET, page)
    return render_page(request, PAGE, TABLE, context)


@require_safe
def session_choices(request: PageRequest, name: str) -> HttpResponse:
    """What one menu of the toolbar offers."""
    if name not in CHOICES:
        raise Http404
    if not wants_fragment(request):
        return redirect("session_list")
    listed = menu(name, request.GET, CHOICES[name](request.user))
    return render(request, "session_list/_choices.html", {"menu": listed})
