"""The first page: go on where you stopped, and see what happened."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from sessions_app.actions.samples import remove_samples
from sessions_app.agents import AGENTS
from sessions_app.ingest.samples import load_samples
from sessions_app.pages import overview_cards
from sessions_app.pages.render import PageRequest
from sessions_app.pages.session_rows import rows
from sessions_app.queries import overview as queries
from sessions_app.queries.lists import list_sessions

LATEST = "8"


@require_safe
def overview(request: PageRequest) -> HttpResponse:
    counts = queries.count_by_status(request.user)
    if not counts.total:
        return render(request, "overview/first_run.html", {"agents": AGENTS})
    return render(request, "overview/page.html", _context(request, counts))


def _context(request: PageRequest, counts: queries.Counts) -> dict[str, Any]:
    user, now = request.user, timezone.now()
    left, left_count = queries.unfinished(user, now)
    activity = queries.activity(user, now)
    latest = list_sessions(user, {"limit": LATEST}, now=now).items
    return {
        "has_samples": bool(counts.samples),
        "unfinished": overview_cards.unfinished(left, user, now),
        "unfinished_count": left_count,
        "proceed": overview_cards.proceed(queries.latest_resumable(user), now),
        "chart": overview_cards.chart(activity.days),
        "figures": overview_cards.figures_of_month(activity.month, timezone.localdate(now)),
        "statuses": overview_cards.statuses(counts),
        "rows": rows(latest, now),
    }


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
