"""Session files, or a zip of a folder, sent by the browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from sessions_app.ingest.unpack import Refused, TooMuch
from sessions_app.ingest.upload import Uploaded, limit, upload
from sessions_app.models import AgentSession
from sessions_app.pages.render import PageRequest, render_page, wants_fragment
from sessions_app.pages.session_rows import session_title

PAGE, REGION = "ingest/upload.html", "ingest/_upload.html"
SHOWN = 50  # sessions, and problems
FORM_ROOM = 1_000_000  # bytes of a request beside its files


@dataclass(frozen=True, slots=True)
class SessionLink:
    """A session that the upload told of."""

    session: AgentSession
    title: str
    is_new: bool


# The token is looked for only once it is known that the body may be read at all.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def upload_sessions(request: PageRequest) -> HttpResponse:
    """The form; when something was sent, what became of it."""
    if request.method != "POST":
        return render_page(request, PAGE, REGION, upload_context())
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > limit() + FORM_ROOM:
        wrong = _("This is larger than %(size)s MB.") % {"size": settings.SESSIONS_UPLOAD_MB}
        return _answer(request, 413, upload_error=wrong)
    return _receive(request)


@csrf_protect
def _receive(request: PageRequest) -> HttpResponse:
    files = request.FILES.getlist("files")
    if not files:
        return _answer(request, 400, upload_error=_("Choose a file first."))
    try:
        done = upload(files, by=request.user)
    except TooMuch as error:
        return _answer(request, 413, upload_error=_("Refused: %(why)s.") % {"why": error})
    except Refused as error:
        return _answer(request, 400, upload_error=_("Refused: %(why)s.") % {"why": error})
    return _answer(request, 200, uploaded=_result(request, done))


def upload_context(**more: Any) -> dict[str, Any]:
    """What the form shows."""
    return {"upload_mb": settings.SESSIONS_UPLOAD_MB, **more}


def _answer(request: PageRequest, status: int, **more: Any) -> HttpResponse:
    context = upload_context(**more)
    if wants_fragment(request):  # htmx shows only answers that went well
        return render(request, REGION, context)
    return render(request, PAGE, context, status=status)


def _result(request: PageRequest, done: Uploaded) -> dict[str, Any]:
    told = done.report.created | done.report.updated
    visible = AgentSession.objects.visible_to(request.user).filter(pk__in=told)
    sessions = [
        SessionLink(session, session_title(session), session.pk in done.report.created)
        for session in visible.order_by("-last_active")[:SHOWN]
    ]
    return {
        "created": len(done.report.created),
        "updated": len(done.report.updated),
        "messages": done.report.messages,
        "unchanged": done.report.unchanged,
        "sessions": sessions,
        "has_more": len(told) > len(sessions),
        "problems": done.problems[:SHOWN],
        "problem_count": len(done.problems) + done.report.problem_count - len(done.report.problems),
        "unknown": done.unknown[:SHOWN],
        "unknown_count": len(done.unknown),
    }
