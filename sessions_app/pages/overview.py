"""The first page: go on where you stopped, and see what happened."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from sessions_app.actions.heartbeat import mark_silent
from sessions_app.actions.samples import remove_samples
from sessions_app.agents import AGENTS
from sessions_app.ingest.samples import load_samples
from sessions_app.pages import overview_cards
from sessions_app.pages.render import PageRequest
from sessions_app.pages.session_rows import rows_html
from sessions_app.queries import overview as queries

STARTED = timezone.now()


@require_safe
def overview(request: PageRequest) -> HttpResponse:
    now = timezone.now()
    mark_silent(now, listening_since=STARTED)
    found = queries.overview(request.user, now)
    if not found.by_status:
        return render(request, "overview/first_run.html", {"agents": AGENTS})
    context = {
        "has_samples": found.has_samples,
        "unfinished": overview_cards.unfinished(found.unfinished, request.user, now),
        "unfinished_count": found.unfinished_count,
        "proceed": overview_cards.proceed(found.resumable, now),
        "chart": overview_cards.chart(found.activity.days),
        "figures": overview_cards.figures_of_month(found.activity.month, timezone.localdate(now)),
        "statuses": overview_cards.statuses(found.by_status),
        "rows": rows_html(found.latest, now),
    }
    return render(request, "overview/page.html", context)


@require_POST
def load(request: PageRequest) -> HttpResponse:
    count = load_samples(owner=request.user)
    if count:
        text = ngettext(
            "%(count)d sample session was loaded.", "%(count)d sample sessions were loaded.", count
        )
        messages.success(request, text % {"count": count})
    else:
        messages.info(request, _("Your sample sessions are already here."))
    return redirect("overview")


@require_POST
def remove(request: PageRequest) -> HttpResponse:
    count = remove_samples(by=request.user)
    text = ngettext(
        "%(count)d sample session was removed.", "%(count)d sample sessions were removed.", count
    )
    messages.success(request, text % {"count": count})
    return redirect("overview")
