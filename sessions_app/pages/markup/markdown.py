"""Markdown of agents -> safe HTML: comrak, then a strict allow-list, then our own classes."""

from __future__ import annotations

import html
import re

import comrak
import nh3
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from sessions_app.pages.markup.budget import Budget
from sessions_app.pages.markup.characters import mark_overrides, prose, without_controls
from sessions_app.pages.markup.code import colour

MAX_LENGTH = 200_000  # characters
MAX_CELLS = 8_000  # a table of 70 kB can ask for 25 MB: each row is filled up to the widest
MAX_DEPTH = 40  # nested lists, quotes, emphasis: the cleaner is quadratic in depth
MAX_GROWTH = 12  # HTML may be so many times as long as its source, and 20,000 characters more

NESTING = re.compile(r"<(/?)(?:blockquote|ul|ol|em|strong|del)\b")
IMAGE = re.compile(r'<img src="([^"]*)" alt="([^"]*)"(?: title="[^"]*")? />')
CHECKBOX = re.compile(r"<input ([^>]*)/>")
LINK = re.compile(r'<a href="([^"]*)"(?: title="[^"]*")?>')
FENCE = re.compile(r'<pre><code(?: class="language-([^" ]*)[^"]*")?>(.*?)</code></pre>', re.DOTALL)
HEADING = re.compile(r"<(/?)h([1-6])>")
FOLLOWED = ("http://", "https://", "mailto:")


def _extensions() -> comrak.ExtensionOptions:
    options = comrak.ExtensionOptions()
    options.table = options.strikethrough = options.tasklist = options.autolink = True
    options.cjk_friendly_emphasis = True
    return options


def _rendering() -> comrak.RenderOptions:
    options = comrak.RenderOptions()
    options.escape = True  # HTML in the text is shown as text
    return options


EXTENSIONS, PARSING, RENDERING = _extensions(), comrak.ParseOptions(), _rendering()
CLEANER = nh3.Cleaner(
    tags={
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "strong",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    },  # fmt: skip
    attributes={
        "a": {"href", "title"},
        "code": {"class"},
        "ol": {"start"},
        "td": {"align"},
        "th": {"align"},
    },
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
    set_tag_attribute_values={"a": {"target": "_blank"}},
)


def render(text: str, budget: Budget) -> SafeString:
    """`text` as HTML; as plain text with a note where it would cost too much."""
    text = without_controls(text)
    if budget.markdown <= 0 or len(text) > MAX_LENGTH or _cells(text) > MAX_CELLS:
        return _plain(text)
    with budget.for_markdown():
        rough = comrak.render_markdown(text, EXTENSIONS, PARSING, RENDERING)
        if len(rough) > MAX_GROWTH * len(text) + 20_000 or _depth(rough) > MAX_DEPTH:
            return _plain(text)
        clean = CLEANER.clean(_prepare(rough))
    return SafeString(_finish(clean, budget))


def _plain(text: str) -> SafeString:
    note = html.escape(gettext("Shown as plain text: too complex to format."))
    return SafeString(f'<p class="plain-note">{note}</p><div class="plain">{prose(text)}</div>')


def _cells(text: str) -> int:
    """An upper bound for the cells of all tables in `text`."""
    if "|" not in text:
        return 0
    counts = [line.count("|") for line in text.split("\n") if "|" in line]
    return (max(counts) + 1) * len(counts)


def _depth(rough: str) -> int:
    depth = deepest = 0
    if rough.count("<") <= 2 * MAX_DEPTH:
        return 0  # too few tags to be too deep: the usual case, at a tenth of the cost
    for match in NESTING.finditer(rough):
        depth += -1 if match[1] else 1
        deepest = max(deepest, depth)
    return deepest


def _prepare(rough: str) -> str:
    """Before the cleaner: images become links (nothing is loaded), boxes signs, as in print."""
    if "<img" in rough:
        rough = IMAGE.sub(lambda m: f'<a href="{m[1]}">{m[2] or m[1]}</a>', rough)
    if "<input" in rough:
        rough = CHECKBOX.sub(lambda m: "☑" if "checked=" in m[1] else "☐", rough)
    return LINK.sub(_link, rough) if "<a " in rough else rough


def _link(match: re.Match[str]) -> str:
    """A link that leads to no address of the web only tells where it wanted to go."""
    if html.unescape(match[1]).lower().startswith(FOLLOWED):
        return f'<a href="{match[1]}">'
    return f'<a title="{match[1]}">'


def _finish(clean: str, budget: Budget) -> str:
    clean = mark_overrides(clean)
    if "<h" in clean:
        # One level below the prompts, whatever the answer thinks of itself.
        clean = HEADING.sub(lambda m: "</h3>" if m[1] else f'<h3 class="md-h{m[2]}">', clean)
    if "<table>" in clean:
        box = f'<div class="scroll-box" role="region" tabindex="0" aria-label="{_("Table")}">'
        clean = clean.replace("<table>", box + "<table>").replace("</table>", "</table></div>")
    return FENCE.sub(lambda m: _fence(m, budget), clean) if "<pre>" in clean else clean


def _fence(match: re.Match[str], budget: Budget) -> str:
    language = html.unescape(match[1] or "")
    inside = colour(html.unescape(match[2]), language, budget)
    label = f'<span class="code-language">{html.escape(language[:20])}</span>' if language else ""
    return f'<div class="code-block">{label}<pre tabindex="0"><code>{inside}</code></pre></div>'


def _(text: str) -> str:
    return html.escape(gettext(text))
