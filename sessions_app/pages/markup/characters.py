"""Characters that mislead or break a page: controls, escapes, bidi overrides, zero width."""

from __future__ import annotations

import re
from html import escape

from django.utils.safestring import SafeString

# CSI, OSC (only when it ends), DCS and its kin (likewise), two-character escapes. Each part is
# bounded by the next control character, so that a text full of beginnings is read in linear time.
ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x00-\x1f\x7f-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
OVERRIDES = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
# A zero-width joiner between two signs of a picture is how such pictures are spelled.
INVISIBLE = re.compile(
    r"[\xad\u061c\u115f\u1160\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff"
    r"\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]|(?<![\u2190-\u3299\U0001f000-\U0001faff\ufe0f])\u200d"
)
MARK = r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]"
PILED = re.compile(rf"({MARK}{{4}}){MARK}+")  # no script needs more marks on one letter


def without_controls(text: str) -> str:
    """`text` with plain line ends, and without escape sequences and control characters."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if CONTROLS.search(text):
        text = CONTROLS.sub("", ESCAPES.sub("", text))
    return text


def prose(text: str) -> SafeString:
    """Words for people, escaped; what turns the direction of writing is shown by its number."""
    return SafeString(mark_overrides(escape(without_controls(text))))


def mark_overrides(html: str) -> str:
    """HTML in which bidi overrides and isolates are visible and have no effect."""
    return html if html.isascii() else PILED.sub(r"\1", OVERRIDES.sub(_mark, html))


def mark_invisible(html: str) -> str:
    """HTML of code, in which every character that has no width is visible."""
    return html if html.isascii() else PILED.sub(r"\1", INVISIBLE.sub(_mark, html))


def label(text: str) -> str:
    """`text` on one line without anything invisible: for titles and attributes."""
    return INVISIBLE.sub("", " ".join(without_controls(text).split()))


def one_line(text: str, limit: int) -> SafeString:
    """The beginning of `text` on one line, escaped, every odd character visible."""
    words = " ".join(without_controls(text[: limit * 4]).split())
    cut = words if len(words) <= limit else words[: limit - 1] + "…"
    return SafeString(mark_invisible(escape(cut)))


def _mark(match: re.Match[str]) -> str:
    return f'<span class="char">U+{ord(match[0]):04X}</span>'
