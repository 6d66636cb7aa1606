"""What was read from where, what is being read, and what could not be."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from sessions_app.actions.problems import dismiss, retry
from sessions_app.border import MAX_INT
from sessions_app.ingest.watch import look_soon
from sessions_app.pages import ingest_cards
from sessions_app.pages.ingest_rules import rules_context
from sessions_app.pages.ingest_upload import upload_context
from sessions_app.pages.render import PageRequest, render_page, wants_fragment, with_toast
from sessions_app.queries import ingest_status as queries

PAGE = "ingest/page.html"
PROBLEMS = "ingest/_problems.html"
RUNS = "ingest/_runs.html"


@require_safe
def ingest_status(request: PageRequest) -> HttpResponse:
    context = _problems(request, request.GET.get("source", ""), request.GET.get("before", ""))
    if not wants_fragment(request):
        totals = queries.source_totals(request.user)
        context |= _runs(request) | rules_context(request) | upload_context()
        context["sources"] = ingest_cards.sources(totals, Path.home())
        context["checked_at"] = ingest_cards.checked_at()
    return render_page(request, PAGE, PROBLEMS, context)


@require_safe
def runs(request: PageRequest) -> HttpResponse:
    """Polled while a run is at work."""
    if not request.user.is_staff:
        raise Http404
    if not wants_fragment(request):
        return redirect("ingest_status")
    return render(request, RUNS, _runs(request))


@require_POST
def dismiss_problems(request: PageRequest) -> HttpResponse:
    source = request.POST.get("source", "")
    chosen = [pk for pk in map(_number, request.POST.getlist("problem")) if pk is not None]
    count = dismiss(by=request.user, ids=None if request.POST.get("all") else chosen, source=source)
    text = ngettext("%(count)d problem was dismissed.", "%(count)d problems were dismissed.", count)
    if wants_fragment(request):
        return with_toast(
            render(request, PROBLEMS, _problems(request, source, "")), text % {"count": count}
        )
    messages.success(request, text % {"count": count})
    return redirect("ingest_status")


@require_POST
def retry_problems(request: PageRequest) -> HttpResponse:
    """Have the file read again; the process that watches does it soon."""
    chosen = [pk for pk in map(_number, request.POST.getlist("problem")) if pk is not None]
    count = retry(by=request.user, ids=chosen, host=socket.gethostname())
    if count:
        look_soon()
        text = _("The file is read again, in the background.")
    else:
        text = _("This file is not on this machine any more.")
    if wants_fragment(request):
        source = request.POST.get("source", "")
        return with_toast(render(request, PROBLEMS, _problems(request, source, "")), text)
    messages.info(request, text)
    return redirect("ingest_status")


def _runs(request: PageRequest) -> dict[str, Any]:
    """The counts of a run tell about everybody's files: they are for staff."""
    found = queries.latest_runs() if request.user.is_staff else []
    shown = ingest_cards.runs(found, timezone.now())
    return {
        "runs": shown,
        "is_running": any(item.percent is not None and not item.is_silent for item in shown),
        "shows_runs": request.user.is_staff,
    }


def _problems(request: PageRequest, source: str, before: str) -> dict[str, Any]:
    place = _number(before)
    page = queries.problem_page(request.user, source=source, before=place)
    wrong = _("The link to that page of the list is broken; this is the first page.")
    return {
        "problems": ingest_cards.problems(
            page.items, queries.here(request.user, page.items, socket.gethostname())
        ),
        "problem_page": page,
        "problem_source": source,
        "problem_error": wrong if before and place is None else "",
        "is_later_page": place is not None,
    }


def _number(text: str) -> int | None:
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    return int(text) if int(text) <= MAX_INT else None
