"""The pieces of a message: words, thoughts, tool calls, images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from sessions_app import figures, packing
from sessions_app.models import AgentSession, Attachment, ToolCall
from sessions_app.pages import tool_bodies
from sessions_app.pages.markup import markdown
from sessions_app.pages.markup.budget import Budget
from sessions_app.pages.markup.characters import one_line, prose
from sessions_app.pages.session_files import image_type
from sessions_app.pages.tool_bodies import CUT, Section
from sessions_app.pages.tool_calls import CallView, call_view
from sessions_app.queries.transcript import Called, Said
from sessions_app.records import CALL, IMAGE, TEXT, THINKING

PEEK = 110  # characters of what is folded


class Picture(NamedTuple):
    """An image, and whether it really is one by its first bytes."""

    row: Attachment
    is_image: bool


class OpenSide(NamedTuple):
    """The input or the result of an opened call."""

    side: str
    label: str
    sections: list[Section]
    all_of: str = ""  # "Show all 12,345 characters", when something is left out
    is_whole: bool = False  # asked for in full: then only the download may hold more
    images: Sequence[Picture] = ()


class Block(NamedTuple):
    """One piece; what it is says which of the fields are set."""

    kind: str  # words, folded, call, image
    html: SafeString = SafeString()
    peek: SafeString = SafeString()  # the beginning of what is folded
    name: str = ""  # of what is folded
    call: CallView | None = None
    picture: Picture | None = None


class Setting(NamedTuple):
    """What every piece of one answer is written with."""

    session: AgentSession
    children: Mapping[str, AgentSession]  # sub-agents by the call that started them
    budget: Budget


def blocks_of(
    message: Said,
    look: str,
    calls: Sequence[Called],
    images: Sequence[Attachment],
    setting: Setting,
) -> list[Block]:
    """The pieces of a message in the order in which they were said."""
    own = [image for image in images if not image.call_id]
    pieces = packing.pieces(
        message.text, message.thinking, message.layout, calls=len(calls), images=len(own)
    )
    out = []
    for piece in pieces:
        if piece.kind == CALL and piece.ordinal < len(calls):
            view = call_view(calls[piece.ordinal], setting.session, message.at, setting.children)
            out.append(Block("call", call=view))
        elif piece.kind == IMAGE and piece.ordinal < len(own):
            out.append(Block("image", picture=_picture(own[piece.ordinal])))
        elif piece.kind == THINKING and piece.text.strip():
            out.append(_folded(_("Thinking"), piece.text.strip(), setting.budget))
        elif piece.kind == TEXT and look == "divider" and len(piece.text) > PEEK:
            out.append(_folded(_("Summary"), piece.text.strip(), setting.budget))
        elif piece.kind == TEXT and piece.text.strip():
            out.append(Block("words", _spoken(piece.text.strip(), look, setting.budget)))
    return out


def sides_of(
    call: ToolCall,
    texts: Mapping[str, str],
    images: Sequence[Attachment],
    budget: Budget,
    *,
    limit: int = CUT,
) -> list[OpenSide]:
    """Those sides of a call whose text is given ("input", "output")."""
    out = []
    if "input" in texts:
        side = tool_bodies.show_input(call.name, texts["input"], limit=limit, budget=budget)
        out.append(_opened("input", _("Input"), side, call.input_size, limit))
    if "output" in texts and (call.ended or images):
        side = tool_bodies.show_output(texts["output"], limit=limit, budget=budget)
        name = _("Result")
        if call.exit_code is not None:
            name = _("Result, exit code %(code)d") % {"code": call.exit_code}
        opened = _opened("output", name, side, call.output_size, limit)
        out.append(opened._replace(images=[_picture(image) for image in images]))
    return out


def show_all(size: int) -> str:
    """The words on the link that fetches the rest."""
    return _("Show all %(count)s characters") % {"count": figures.grouped(size)}


def _folded(name: str, text: str, budget: Budget) -> Block:
    """Words that are read on demand: thoughts, and what a compaction made of the conversation."""
    peek = one_line(text.replace("**", ""), PEEK)
    return Block("folded", markdown.render(text, budget), peek, name)


def _spoken(text: str, look: str, budget: Budget) -> SafeString:
    """Answers are Markdown; the words of people stay as they typed them."""
    if look in ("answer", "divider"):
        return markdown.render(text, budget)
    return SafeString(f'<p class="plain" dir="auto">{prose(text)}</p>')


def _opened(name: str, title: str, side: tool_bodies.Side, size: int, limit: int) -> OpenSide:
    all_of = show_all(size) if side.is_cut else ""
    return OpenSide(name, title, side.sections, all_of, is_whole=limit > CUT)


def _picture(image: Attachment) -> Picture:
    return Picture(image, bool(image_type(image.sha256)))
