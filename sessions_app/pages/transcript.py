"""A session's page: its head, its conversation in windows, and what changes while one reads."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from sessions_app.models import AgentSession
from sessions_app.pages import live, transcript_header
from sessions_app.pages.markup.budget import Budget
from sessions_app.pages.markup.characters import one_line
from sessions_app.pages.render import PageRequest, render_page, wants_fragment
from sessions_app.pages.resume import resume
from sessions_app.pages.transcript_blocks import Setting
from sessions_app.pages.transcript_html import messages_html
from sessions_app.pages.transcript_inherited import inherited_part
from sessions_app.pages.transcript_messages import Place, gap_words, message_views
from sessions_app.queries import transcript as queries
from sessions_app.queries.access import AmbiguousId, session_or_404
from sessions_app.queries.inherited import inherited

DIGITS = 18  # of a number in an address: more do not fit a column
MAX_SEQ = 10**DIGITS
SESSIONS = AgentSession.objects.select_related("project", "owner")


class OtherAddress(Exception):
    """What was typed only begins an id: `response` leads on."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__("not the whole id")
        self.response = response


def find(request: PageRequest, short_id: str) -> AgentSession:
    """The session at this address. Raises Http404, or OtherAddress for the start of an id."""
    try:
        session = session_or_404(request.user, short_id, SESSIONS.all())
    except AmbiguousId as error:
        raise OtherAddress(_choices(request, short_id, error)) from error
    if session.short_id != short_id:
        path = request.path.replace(f"/{short_id}/", f"/{session.short_id}/", 1)
        query = request.META.get("QUERY_STRING", "")
        raise OtherAddress(redirect(f"{path}?{query}" if query else path))
    return session


@require_safe
def session_detail(request: PageRequest, short_id: str) -> HttpResponseBase:
    """The page; for htmx one more window of messages; for a live page what has changed."""
    try:
        session = find(request, short_id)
    except OtherAddress as other:
        return other.response
    since = number(request, live.ASKS)
    if since is not None:
        return _changes(request, session, since)
    context = (_more if wants_fragment(request) else _page)(request, session)
    return render_page(request, "transcript/page.html", "transcript/_window.html", context)


@require_safe
def outline(request: PageRequest, short_id: str) -> HttpResponse:
    """The prompts of a session, each a link to its place."""
    try:
        session = find(request, short_id)
    except OtherAddress as other:
        return other.response
    prompts = [(seq, one_line(head, 120)) for seq, head in queries.prompts(session)]
    context = part_context(session, _("Prompts")) | {
        "prompts": prompts,
        "has_more": len(prompts) < session.user_messages,
    }
    return render_page(request, "transcript/outline.html", "transcript/_outline.html", context)


def part_context(session: AgentSession, name: str) -> dict[str, Any]:
    """What the page around a part needs."""
    return {
        "session": session,
        "base": transcript_header.base(session),
        "title": transcript_header.title_of(session),
        "part_name": name,
    }


def _choices(request: PageRequest, typed: str, error: AmbiguousId) -> HttpResponse:
    found = SESSIONS.visible_to(request.user).filter(short_id__in=error.choices)
    rows = [
        {"session": session, "title": transcript_header.title_of(session)}
        for session in found.order_by("-last_active")
    ]
    context = {"typed": typed, "rows": rows}
    return render(request, "transcript/choices.html", context, status=300)


def _page(request: PageRequest, session: AgentSession) -> dict[str, Any]:
    kin = queries.kin(session, request.user)
    children = {
        link.call_id: link.session
        for link in kin
        if link.relation == "subagent" and not link.is_parent
    }
    belongings = queries.belongings(session)
    wanted = _wanted(request)
    window = queries.window(session, wanted)
    above = None if window.has_before else Place()
    context = _window(session, wanted, window, children, above)
    is_fork = any(link.relation == "fork" and link.is_parent for link in kin)
    context |= _inherited(request, session) if is_fork and not window.has_before else {}
    return (
        context
        | transcript_header.head(session)
        | {
            "relatives": transcript_header.relatives(session, kin),
            "tags": transcript_header.tag_links(belongings.tags),
            "resume": resume(session),
            "snapshots": belongings.snapshots,
            "artifacts": transcript_header.file_links(belongings.artifacts),
        }
    )


def _more(request: PageRequest, session: AgentSession) -> dict[str, Any]:
    """One more window, which htmx puts where its button stood."""
    wanted = _wanted(request)
    window = queries.window(session, wanted)
    children = _children(request, session, window)
    # Which model spoke last is known to the window that this one continues.
    above = Place(wanted.after, request.GET.get("model", "")) if wanted.after else None
    context = _window(session, wanted, window, children, above)
    if wanted.after is not None:
        context["has_before"] = False
    elif wanted.before is not None:
        context["has_after"], context["end_gap"] = False, ""
    return context | ({} if context["has_before"] or wanted.after else _inherited(request, session))


def _inherited(request: PageRequest, session: AgentSession) -> dict[str, Any]:
    """What stands before the first message: of a fork that holds only its own, its parent's."""
    return inherited_part(request, session, inherited(session, request.user))


def _wanted(request: PageRequest) -> queries.Wanted:
    return queries.Wanted(
        after=number(request, "after"),
        before=number(request, "before"),
        at=number(request, "at"),
        last=request.GET.get("last") == "1",
        hidden=request.GET.get("system") == "1",
    )


def _window(
    session: AgentSession,
    wanted: queries.Wanted,
    window: queries.Window,
    children: dict[str, AgentSession],
    above: Place | None,
) -> dict[str, Any]:
    first = window.messages[0].seq if window.messages else 0
    last = window.messages[-1].seq if window.messages else 0
    models = [message.model for message in window.messages if message.model]
    views = message_views(window, Setting(session, children, Budget()), above)
    below = 0 if window.has_after or wanted.hidden else _below(session, last)
    hidden = sum(view.gap for view in views) + below
    return {
        "session": session,
        "base": transcript_header.base(session),
        "entries": messages_html(views, session),
        "first": first,
        "last": last,
        "last_model": models[-1] if models else "",
        "hidden": wanted.hidden,
        "system": "&system=1" if wanted.hidden else "",
        "toggle_at": wanted.at or first or 1,
        "has_before": window.has_before,
        "has_after": window.has_after,
        "end_gap": gap_words(below) if below else "",
        "hidden_words": _("Show %(words)s") % {"words": gap_words(hidden)} if hidden else "",
    }


def _below(session: AgentSession, last: int) -> int:
    """How many hidden messages stand after the last one that is shown."""
    return max(min(session.last_seq - last, session.message_count), 0)


def _children(
    request: PageRequest, session: AgentSession, window: queries.Window
) -> dict[str, AgentSession]:
    """Sub-agents by the call that started them; only asked for where something was called."""
    names = [call.call_id for calls in window.calls.values() for call in calls]
    return queries.started_by(session, names, request.user) if names else {}


def _changes(request: PageRequest, session: AgentSession, since: int) -> HttpResponseBase:
    """Messages that changed after a revision; 304 when the page shows everything already."""
    tag, is_shown = live.tags(request, session)
    if is_shown:
        return live.unchanged(tag)
    # What is shown must not be older than the tag, or the page would miss a change for ever.
    session.refresh_from_db(from_queryset=SESSIONS.all())
    context = _changed(request, session, since)
    is_whole = context["revision"] == session.revision
    response = render(request, "transcript/_changes.html", context)
    return live.marked(response, tag if is_whole else "")


def _changed(request: PageRequest, session: AgentSession, since: int) -> dict[str, Any]:
    window = queries.Window([])
    if session.revision > since:
        window = queries.changes(
            session,
            since,
            number(request, "first") or 0,
            number(request, "last"),
            hidden=request.GET.get("system") == "1",
        )
    children = _children(request, session, window)
    above = Place(MAX_SEQ, request.GET.get("model", ""), timezone.localdate())
    views = message_views(window, Setting(session, children, Budget()), above)
    revision = window.messages[-1].revision if window.has_after else session.revision
    entries = messages_html(views, session)
    return transcript_header.state(session) | {"entries": entries, "revision": revision}


def number(request: PageRequest, name: str) -> int | None:
    """A parameter that is a place or a revision; anything else counts as not given."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS else None
