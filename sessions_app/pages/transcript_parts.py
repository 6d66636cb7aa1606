"""Parts of a transcript that are fetched when somebody opens them; each is also a page."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from sessions_app import packing
from sessions_app.models import AgentSession, Attachment, Snapshot, ToolCall
from sessions_app.pages import tool_bodies
from sessions_app.pages.markup import code, structured
from sessions_app.pages.markup.budget import Budget
from sessions_app.pages.render import PageRequest, render_page
from sessions_app.pages.session_files import text_download
from sessions_app.pages.tool_calls import call_view
from sessions_app.pages.transcript import OtherAddress, find, number, part_context
from sessions_app.pages.transcript_blocks import Setting, blocks_of, show_all, sides_of
from sessions_app.pages.transcript_header import base
from sessions_app.pages.transcript_inherited import inherited_part
from sessions_app.pages.transcript_messages import heading_of, look_of
from sessions_app.queries import transcript as queries
from sessions_app.queries.inherited import inherited as chain_of

SIDES = ("input", "output")


@require_safe
def call(request: PageRequest, short_id: str, pk: int) -> HttpResponseBase:
    """Input and result of a call, each cut at about 4,000 characters."""
    try:
        session = find(request, short_id)
    except OtherAddress as other:
        return other.response
    found = _call_or_404(session, pk)
    texts = {side: _text(found, side) for side in SIDES}
    sides = sides_of(found, texts, _images(found), _budget())
    context = _call_context(session, found, _("Tool call")) | {"sides": sides}
    return render_page(request, "transcript/call.html", "transcript/_call_body.html", context)


@require_safe
def call_side(request: PageRequest, short_id: str, pk: int, side: str) -> HttpResponseBase:
    """All of one side, up to a million characters; with ?download=1 the whole text as a file."""
    try:
        session = find(request, short_id)
    except OtherAddress as other:
        return other.response
    found = _call_or_404(session, pk)
    if side not in SIDES:
        raise Http404("A call has an input and an output.")
    text = _text(found, side)
    if request.GET.get("download") == "1":
        return text_download(text, session, f"call-{pk}-{side}.txt")
    images = _images(found) if side == "output" else []
    sides = sides_of(found, {side: text}, images, _budget(), limit=tool_bodies.MOST)
    if not sides:
        raise Http404("The call has no result.")
    context = _call_context(session, found, sides[0].label) | {"part": sides[0]}
    return render_page(request, "transcript/side.html", "transcript/_call_side.html", context)


@require_safe
def message(request: PageRequest, short_id: str, seq: int) -> HttpResponseBase:
    """All words of one long message."""
    try:
        session = find(request, short_id)
    except OtherAddress as other:
        return other.response
    found = queries.one_message(session, seq)
    if found is None:
        raise Http404("No such message.")
    if request.GET.get("download") == "1":
        words = "\n\n".join(part for part in (found.thinking, found.text) if part)
        return text_download(words, session, f"message-{seq}.txt")
    look = look_of(found)
    shown = found._replace(
        text=found.text[: tool_bodies.MOST], thinking=found.thinking[: tool_bodies.MOST]
    )
    blocks = blocks_of(shown, look, [], [], Setting(session, {}, _budget()))
    name = _("Message %(seq)d") % {"seq": seq}
    context = (
        part_context(session, name)
        | back_to(session, seq)
        | {
            "look": look,
            "heading": heading_of(look),
            "blocks": blocks,
            "is_cut": len(found.text) > tool_bodies.MOST,
        }
    )
    return render_page(request, "transcript/message.html", "transcript/_words.html", context)


@require_safe
def inherited(request: PageRequest, short_id: str) -> HttpResponseBase:
    """Earlier messages of a session before the fork; alone it is a page."""
    try:
        session = find(request, short_id)
    except OtherAddress as other:
        return other.response
    chain = chain_of(session, request.user)
    names = [item.session.short_id for item in chain]
    wanted = request.GET.get("from", names[0] if names else "")
    if wanted not in names:
        raise Http404("Nothing is inherited from there.")
    chain = chain[names.index(wanted) :]
    before = number(request, "before")
    context = (
        part_context(session, _("Inherited messages"))
        | inherited_part(request, session, chain, before)
        | {"back": base(session), "back_words": _("Back to the transcript")}
    )
    page, fragment = "transcript/inherited.html", "transcript/_inherited.html"
    return render_page(request, page, fragment, context)


@require_safe
def snapshot(request: PageRequest, short_id: str, step: int) -> HttpResponseBase:
    """The state that was saved at a step, as JSON."""
    try:
        session = find(request, short_id)
    except OtherAddress as other:
        return other.response
    found = Snapshot.objects.filter(session=session, step=step).first()
    if found is None:
        raise Http404("No such snapshot.")
    text = packing.unpack(found.packed).decode() if found.packed is not None else ""
    if request.GET.get("download") == "1":
        return text_download(text, session, f"step-{step}.json")
    value = structured.read(text)
    shown = text if value is None else structured.pretty(value)
    is_cut = len(shown) > tool_bodies.MOST
    context = part_context(session, _("Snapshot at step %(step)d") % {"step": step}) | {
        "snapshot": found,
        "state": code.colour(shown[: tool_bodies.MOST], "json", _budget()),
        "all_of": show_all(len(shown)) if is_cut else "",
    }
    return render_page(request, "transcript/snapshot.html", "transcript/_snapshot.html", context)


def _budget() -> Budget:
    """One part may be dressed more carefully than a hundred messages at once."""
    return Budget(colours=0.2)


def _call_or_404(session: AgentSession, pk: int) -> ToolCall:
    found = ToolCall.objects.filter(pk=pk, session=session).select_related("message").first()
    if found is None:
        raise Http404("No such call.")
    return found


def _text(call: ToolCall, side: str) -> str:
    return packing.unpack_text(getattr(call, f"{side}_preview"), getattr(call, f"{side}_packed"))


def _images(call: ToolCall) -> list[Attachment]:
    return list(
        Attachment.objects.filter(message=call.message_id, call_id=call.call_id).order_by("ordinal")
    )


def _call_context(session: AgentSession, call: ToolCall, name: str) -> dict[str, Any]:
    view = call_view(call, session, call.message.at, {})
    return (
        part_context(session, f"{view.name}: {name}")
        | back_to(session, call.message.seq)
        | {"view": view}
    )


def back_to(session: AgentSession, seq: int) -> dict[str, Any]:
    """The way back to the place in the transcript."""
    return {"back": f"{base(session)}?at={seq}#m{seq}", "back_words": _("Back to the transcript")}
