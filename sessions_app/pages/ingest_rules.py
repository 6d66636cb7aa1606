"""Rules for what must never be read; for staff."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from sessions_app import figures
from sessions_app.actions.exclude import add_rule, remove_rule
from sessions_app.border import clean_line
from sessions_app.ingest.exclude import complaint, matches
from sessions_app.ingest.watch import look_soon
from sessions_app.models import AgentSession, ExcludeRule
from sessions_app.pages.render import PageRequest, wants_fragment, with_toast
from sessions_app.pages.session_rows import session_title
from sessions_app.queries import exclude as queries

RULES = "ingest/_rules.html"


def rules_context(request: PageRequest, **more: Any) -> dict[str, Any]:
    """The section of the ingest page."""
    return {"shows_rules": request.user.is_staff, "rules": _rules(request), **more}


def _rules(request: PageRequest) -> list[ExcludeRule]:
    return queries.rules() if request.user.is_staff else []


@require_POST
def add(request: PageRequest) -> HttpResponse:
    """A new rule, and how much of what it excludes is stored already."""
    _staff_only(request)
    pattern = clean_line(request.POST.get("pattern", ""), 500).strip()
    wrong = _complaint(pattern)
    if wrong:
        return _refused(request, pattern, wrong)
    rule = add_rule(pattern, note=clean_line(request.POST.get("note", ""), 200), by=request.user)
    count = _stored(request, rule)[0]
    stored = ngettext(
        "%(count)s stored session matches it and stays.",
        "%(count)s stored sessions match it and stay.",
        count,
    ) % {"count": figures.grouped(count)}
    return _changed(request, f"{_('The rule holds from now on.')} {stored}" if count else "")


@require_POST
def remove(request: PageRequest) -> HttpResponse:
    """What it excluded is read again."""
    _staff_only(request)
    remove_rule(_rule(request.POST.get("rule", "")))
    look_soon()
    return _changed(request, _("The rule was removed: what it excluded is read again."))


@require_safe
def rule(request: PageRequest, pk: int) -> HttpResponse:
    """Stored sessions that a rule would have kept out."""
    _staff_only(request)
    found = _rule(str(pk))
    count, sessions = _stored(request, found)
    rows = [{"session": session, "title": session_title(session)} for session in sessions]
    return render(request, "ingest/rule.html", {"rule": found, "count": count, "rows": rows})


def _staff_only(request: PageRequest) -> None:
    if not request.user.is_staff:
        raise Http404


def _rule(text: str) -> ExcludeRule:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Http404
    return get_object_or_404(ExcludeRule, pk=int(text))


def _stored(request: PageRequest, rule: ExcludeRule) -> tuple[int, list[AgentSession]]:
    return queries.stored_sessions(
        request.user, socket.gethostname(), lambda paths: matches(rule.pattern, Path.home(), paths)
    )


def _complaint(pattern: str) -> str:
    words = {
        "": "",
        "everything": _("This pattern would exclude everything. Name a folder or a file."),
        "control": _("A pattern holds no control characters."),
        "brackets": _("The brackets in this pattern cannot be understood."),
    }
    return words[complaint(pattern)]


def _refused(request: PageRequest, pattern: str, wrong: str) -> HttpResponse:
    if not wants_fragment(request):
        messages.error(request, wrong)
        return redirect("ingest_status")
    context = rules_context(request, rule_error=wrong, rule_pattern=pattern)
    return render(request, RULES, context)


def _changed(request: PageRequest, text: str) -> HttpResponse:
    text = text or _("The rule holds from now on.")
    if wants_fragment(request):
        return with_toast(render(request, RULES, rules_context(request)), text)
    messages.success(request, text)
    return redirect("ingest_status")
