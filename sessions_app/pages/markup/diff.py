"""Changes of files: an edit's old and new text, or a patch, line by line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from html import escape

from django.utils.safestring import SafeString

from sessions_app.pages.markup.characters import mark_invisible, without_controls

MAX_LINES = 400  # of each side that are compared: the comparison may be quadratic
HEADS = ("***", "---", "+++", "@@", "diff ", "index ")
CLASSES = {"+": "add", "-": "del"}


def edit_lines(old: str, new: str) -> list[str]:
    """What replacing `old` by `new` changes, each line behind its sign."""
    before, after = without_controls(old).split("\n"), without_controls(new).split("\n")
    if max(len(before), len(after)) > MAX_LINES or not old or not new:
        return [f"-{line}" for line in before if old] + [f"+{line}" for line in after if new]
    compared = difflib.unified_diff(before, after, n=3, lineterm="")
    lines = [line if line[0] != "@" else "⋯" for line in compared][3:]
    return lines or [f" {line}" for line in after]


def render(lines: Iterable[str], *, is_patch: bool) -> SafeString:
    """Lines of a change; a patch has lines of its own that name files and places."""
    out = []
    for line in lines:
        css = "head" if is_patch and line.startswith(HEADS) else CLASSES.get(line[:1], "")
        words = mark_invisible(escape(line))
        out.append(f'<span class="d-{css}">{words}\n</span>' if css else f"{words}\n")
    return SafeString("".join(out))
