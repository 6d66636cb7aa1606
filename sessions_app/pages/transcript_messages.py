"""Messages as the transcript shows them: everything computed here, the templates only write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from sessions_app import figures
from sessions_app.models import Message
from sessions_app.pages.markup.characters import label
from sessions_app.pages.transcript_blocks import Block, Setting, blocks_of, show_all
from sessions_app.queries.transcript import TEXT_SHOWN, Said, Spent, Window

RECENT = timedelta(days=7)  # so long a message's age says more than its date
PLAIN_SHOWN = 3_000  # characters of what is no answer: prompts hold whole files at times
SHOWN = {"answer": TEXT_SHOWN, "divider": TEXT_SHOWN, "system": 1_500}

# kind of message -> how it looks; whoever is not listed looks as the role says.
LOOKS = {
    "prompt": "prompt", "injected": "system", "command": "command", "compaction": "divider",
    "error": "error", "note": "note",
}  # fmt: skip
HEADINGS = {
    "prompt": gettext_lazy("Prompt"),
    "answer": gettext_lazy("Answer"),
    "system": gettext_lazy("System message"),
    "command": gettext_lazy("Command"),
    "divider": gettext_lazy("Conversation compacted"),
    "error": gettext_lazy("Error"),
    "note": gettext_lazy("Note"),
}


@dataclass(slots=True)
class MessageView:
    """One message, ready to be written."""

    seq: int
    look: str  # is-tight: nothing but tool calls
    blocks: list[Block]
    heading: str = ""  # of an answer none: it has no visible heading
    clock: str = ""
    exact: str = ""
    iso: str = ""
    spent: str = ""
    spent_exact: str = ""
    model: str = ""  # where it changes
    day: str = ""  # where a new day begins
    cut: str = ""  # "Show all 12,345 characters"
    gap: int = 0  # hidden messages before it
    gap_words: str = ""


class Place(NamedTuple):
    """What a message is read beside: the one before it."""

    seq: int = 0
    model: str = ""
    day: date | None = None


def message_views(window: Window, setting: Setting, above: Place | None) -> list[MessageView]:
    """The window's messages. Without `above` nothing is known of what stands before them."""
    views = []
    side = Side()
    # Of an answer none: what an agent says needs no label.
    headings = {look: str(words) for look, words in HEADINGS.items()} | {"answer": ""}
    for message in window.messages:
        view = _message_view(message, window, setting, headings)
        local = message.at.astimezone(side.zone) if message.at else None
        here = local.date() if local else None
        if local is not None:
            side.tell_time(view, local)
            if above is None or here != above.day:
                view.day = figures.day(local, side.now)
        if message.pk in window.spent:
            side.tell_price(view, window.spent[message.pk])
        if message.model and (above is None or message.model != above.model):
            view.model = label(message.model)
        if above is not None and message.seq > above.seq + 1:
            view.gap = message.seq - above.seq - 1
            view.gap_words = gap_words(view.gap)
        views.append(view)
        known = above or Place()
        above = Place(message.seq, message.model or known.model, here or known.day)
    return views


def gap_words(count: int) -> str:
    """How many messages are hidden in one place."""
    words = ngettext("%(count)s hidden message", "%(count)s hidden messages", count)
    return words % {"count": figures.grouped(count)}


def look_of(message: Said) -> str:
    """How a message looks, by what kind it is and who said it."""
    if message.kind in LOOKS:
        return LOOKS[message.kind]
    if message.role == Message.Role.USER:
        return "prompt"
    return "system" if message.role == Message.Role.SYSTEM else "answer"


def heading_of(look: str) -> str:
    """Who speaks, for the heading of a message."""
    return str(HEADINGS[look])


def _message_view(
    message: Said, window: Window, setting: Setting, headings: Mapping[str, str]
) -> MessageView:
    look = look_of(message)
    limit = SHOWN.get(look, PLAIN_SHOWN)
    calls, images = window.calls.get(message.pk, []), window.images.get(message.pk, [])
    shown = message._replace(
        text=setting.budget.cut(message.text, limit),
        thinking=setting.budget.cut(message.thinking, TEXT_SHOWN),
    )
    blocks = blocks_of(shown, look, calls, images, setting)
    is_tight = look == "answer" and all(block.call for block in blocks)
    view = MessageView(message.seq, f"{look} is-tight" if is_tight else look, blocks)
    view.heading = headings[look]
    size = message.text_size + message.thinking_size
    if size > len(shown.text) + len(shown.thinking):
        view.cut = show_all(size)
    return view


class Side:
    """What stands beside a message: its time and its price. Words are looked up once a window."""

    def __init__(self) -> None:
        self.now = timezone.now()
        self.zone = timezone.get_current_timezone()
        self.estimated, self.recorded = _("estimated"), _("recorded by the agent")
        self.no_price = _("no price")
        self.tokens = _(
            "input %(input)s · output %(output)s · cache read %(read)s · cache write %(write)s"
        )

    def tell_time(self, view: MessageView, local: datetime) -> None:
        """The clock to see, the exact time and the age on hover, a form for programs."""
        view.exact = local.strftime("%Y-%m-%d %H:%M:%S %Z")
        view.clock = view.exact[11:19]
        view.iso = local.isoformat(timespec="seconds")
        if self.now - local < RECENT:
            view.exact += f" · {figures.ago(local, self.now)}"

    def tell_price(self, view: MessageView, spent: Spent) -> None:
        """Tokens and cost of the responses that the message came with."""
        money = self.no_price
        view.spent_exact = self.tokens % {
            "input": figures.grouped(spent.input),
            "output": figures.grouped(spent.output),
            "read": figures.grouped(spent.cache_read),
            "write": figures.grouped(spent.cache_write),
        }
        if spent.cost is not None:
            money = figures.dollars(spent.cost)
            source = self.recorded if spent.is_recorded else self.estimated
            view.spent_exact += f" · ${spent.cost.normalize():,f} ({source})"
        view.spent = f"{figures.short(spent.total)} · {money}"
