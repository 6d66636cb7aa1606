"""The turns before a fork that holds only its own: shown from its parents, and marked."""

from __future__ import annotations

from typing import Any

from django.utils.translation import ngettext

from sessions_app import figures
from sessions_app.models import AgentSession
from sessions_app.pages import transcript_header
from sessions_app.pages.markup.budget import Budget
from sessions_app.pages.render import PageRequest
from sessions_app.pages.transcript_blocks import Setting
from sessions_app.pages.transcript_html import messages_html
from sessions_app.pages.transcript_messages import Place, message_views
from sessions_app.queries import transcript as queries
from sessions_app.queries.inherited import Inherited


def inherited_part(
    request: PageRequest,
    session: AgentSession,
    chain: list[Inherited],
    before: int | None = None,
) -> dict[str, Any]:
    """The last messages of the first of `chain` before a place, and where to go on from there."""
    if not chain:
        return {}
    parent, last = chain[0]
    end = last + 1 if before is None else min(before, last + 1)
    hidden = request.GET.get("system") == "1"
    window = queries.window(parent, queries.Wanted(before=end, hidden=hidden))
    calls = [call.call_id for rows in window.calls.values() for call in rows]
    children = queries.started_by(parent, calls, request.user) if calls else {}
    above = None if window.has_before else Place()
    views = message_views(window, Setting(parent, children, Budget()), above)
    first = window.messages[0].seq if window.messages else 0
    count = ngettext("%(count)s message", "%(count)s messages", last)
    return {
        "inherited": messages_html(views, parent, inherited=True),
        "inherited_id": f"inherited-{parent.short_id}-{end}",
        "inherited_title": transcript_header.title_of(parent),
        "inherited_url": f"{transcript_header.base(parent)}?at={last}#m{last}",
        "inherited_count": count % {"count": figures.grouped(last)},
        "inherited_more": _more(session, chain, first if window.has_before else 0, hidden=hidden),
    }


def _more(session: AgentSession, chain: list[Inherited], first: int, *, hidden: bool) -> str:
    """The address of what stands before: of the same session, or of the one before that."""
    system = "&system=1" if hidden else ""
    base = f"{transcript_header.base(session)}inherited/"
    if first:
        return f"{base}?from={chain[0].session.short_id}&before={first}{system}"
    return f"{base}?from={chain[1].session.short_id}{system}" if len(chain) > 1 else ""
