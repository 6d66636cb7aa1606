"""The list of sessions."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_htmx.http import push_url

from sessions_app.pages.list_toolbar import toolbar
from sessions_app.pages.list_view import addresses, columns
from sessions_app.pages.render import PageRequest, render_page, wants_fragment
from sessions_app.pages.session_rows import rows
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
        "rows": rows(page.items, now),
        "has_samples": any(session.is_sample for session in page.items),
    }
    if wants_fragment(request):
        return push_url(render_page(request, PAGE, TABLE, context), links.here)
    context["toolbar"] = toolbar(request.user, request.GET, page)
    return render_page(request, PAGE, TABLE, context)
