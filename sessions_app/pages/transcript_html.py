"""Messages -> HTML.

The template of each piece is rendered once in a request, as a pattern that is filled for every
message: a hundred of them take a tenth of the time that the template engine needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from sessions_app.models import AgentSession
from sessions_app.pages.tool_calls import STATES, CallView
from sessions_app.pages.transcript_blocks import Block
from sessions_app.pages.transcript_messages import MessageView
from sessions_app.templatetags.figures import icon


def messages_html(
    views: Iterable[MessageView], session: AgentSession, *, inherited: bool = False
) -> SafeString:
    """All of `views`, each with the day and the gap that stand before it.

    `inherited`: they stand on the page of a fork, beside messages with the same numbers.
    """
    patterns = Patterns(session, inherited=inherited)
    return SafeString("".join(patterns.message(view) for view in views))


class Patterns(dict[str, str]):
    """The patterns that are in use, and how they are filled."""

    def __init__(self, session: AgentSession, *, inherited: bool = False) -> None:
        super().__init__()
        self.base = reverse("session_detail", args=[session.short_id])
        self.mark = f"{session.short_id}-m" if inherited else "m"
        self.place = f"{self.base}?at={{seq}}#m{{seq}}" if inherited else "#m{seq}"
        self.states = {state: (str(word), icon(sign)) for state, (word, sign) in STATES.items()}

    def __missing__(self, name: str) -> str:
        pattern = str.__str__(render_to_string(f"transcript/patterns/{name}.html")).strip()
        return self.setdefault(name, pattern)

    def fill(self, name: str, /, **values: str | int) -> SafeString:
        """The pattern with these values; what is not marked as safe is escaped."""
        safe = {
            key: value if isinstance(value, SafeString | int) else escape(value)
            for key, value in values.items()
        }
        return SafeString(self[name].format(**safe))

    def message(self, view: MessageView) -> str:
        """One message."""
        body = "".join([self.block(block) for block in view.blocks])
        if view.cut:
            body += self.fill("cut", base=self.base, seq=view.seq, words=view.cut)
        title = self.fill("title", heading=view.heading) if view.heading else SafeString()
        article = self.fill(
            "message",
            look=view.look,
            id=f"{self.mark}{view.seq}",
            link=self.place.format(seq=view.seq),
            seq=view.seq,
            title=title,
            body=SafeString(body),
            exact=view.exact,
            iso=view.iso,
            clock=view.clock,
            spent=view.spent,
            spent_exact=view.spent_exact,
            model=view.model,
        )
        return self.above(view) + article if view.day or view.gap else article

    def above(self, view: MessageView) -> str:
        """What stands between two messages."""
        day = self.fill("day", day=view.day) if view.day else ""
        if not view.gap:
            return day
        return day + self.fill("gap", base=self.base, seq=view.seq, words=view.gap_words)

    def block(self, block: Block) -> str:
        """One piece of a message."""
        if block.call is not None:
            return self.call(block.call)
        if block.picture is not None:
            context = {"picture": block.picture, "base": self.base}
            return render_to_string("transcript/_image.html", context)
        if block.kind == "folded":
            return self.fill("folded", html=block.html, peek=block.peek, name=block.name)
        return self.fill("words", html=block.html)

    def call(self, view: CallView) -> str:
        """A folded tool call, and what must be seen without opening it."""
        word, sign = self.states[view.state]
        out = self.fill(
            "call",
            state=view.state,
            pk=view.pk,
            icon=icon(view.icon),
            name=view.name,
            about=view.about,
            bad_end=view.bad_end,
            took=view.took,
            sign=sign,
            word=word,
            url=f"{self.base}calls/{view.pk}/",
        )
        if view.complaint:
            out += self.fill("complaint", complaint=view.complaint)
        if view.child is not None:
            url = reverse("session_detail", args=[view.child.short_id])
            out += self.fill("child", url=url, title=view.child_title)
        return out
