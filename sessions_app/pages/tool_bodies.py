"""An opened tool call: its input and its result in the form in which they read best."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from sessions_app.pages import tool_calls
from sessions_app.pages.markup import characters, code, diff, structured, terminal
from sessions_app.pages.markup.budget import Budget

CUT = 4_000  # characters of one side that are shown at first
MOST = 1_000_000  # characters that "show all" shows; the download has everything
SHORT = 120  # characters of a value that stands on one line
EDITS_SHOWN = 50
TODO_SIGNS = {"completed": "☑", "done": "☑", "in_progress": "◐", "cancelled": "☒"}


class Section(NamedTuple):
    """One box of an opened call; `kind` is its look."""

    kind: str  # terminal, code, diff, plan, text
    html: SafeString
    label: SafeString | str = ""


class Side(NamedTuple):
    """The input or the result, and whether something of it is left out."""

    sections: list[Section]
    is_cut: bool


class Pen:
    """Takes text until its limit is reached, and remembers that it left something out."""

    def __init__(self, limit: int, budget: Budget) -> None:
        self.left = limit
        self.is_cut = False
        self.budget = budget

    def take(self, text: str) -> str:
        """As much of `text` as the limit leaves."""
        taken = text[: self.left]
        self.is_cut = self.is_cut or len(taken) < len(text)
        self.left -= len(taken)
        return taken

    def take_lines(self, lines: list[str]) -> list[str]:
        """As many whole lines as the limit leaves, and at least a part of the first."""
        out: list[str] = []
        for line in lines:
            if self.left <= 0:
                self.is_cut = True
                break
            out.append(self.take(line))
        return out

    def code(self, text: str, language: str, label: str = "") -> Section:
        """Program text."""
        shown = code.colour(self.take(text), language, self.budget)
        return Section("code", shown, characters.one_line(label, 300))

    def terminal(self, text: str) -> Section:
        """What stood in a terminal."""
        shown = terminal.render(self.take(text))
        if not shown.strip():
            return Section("nothing", SafeString(escape(_("nothing that can be seen"))))
        return Section("terminal", shown)

    def json(self, value: Any) -> Section:
        """Any value."""
        return self.code(structured.pretty(value), "json")


def show_input(name: str, text: str, *, limit: int, budget: Budget) -> Side:
    """What the tool was called with."""
    pen = Pen(limit, budget)
    value = structured.read(text) if text.startswith(("{", "[")) else None
    show = SHOWN.get(tool_calls.family_of(name), _fields)
    if isinstance(value, dict):
        sections = list(show(value, pen)) or list(_fields(value, pen))
    elif value is not None:
        sections = [pen.json(value)]
    else:
        sections = [_words(text, pen)] if text else []
    return Side(sections, pen.is_cut)


def show_output(text: str, *, limit: int, budget: Budget) -> Side:
    """What the tool answered."""
    pen = Pen(limit, budget)
    value = structured.read(text) if text.startswith(("{", "[")) else None
    if isinstance(value, dict) and isinstance(value.get("output"), str):
        sections = [pen.terminal(value["output"])]
    elif isinstance(value, dict | list):
        sections = [pen.json(value)]
    else:
        sections = [pen.terminal(text)] if text else []
    return Side(sections, pen.is_cut)


def _words(text: str, pen: Pen) -> Section:
    """Input that is no JSON: a patch, a script, or an object that was cut."""
    if text.startswith(("*** Begin Patch", "--- ", "diff --git")):
        return _patch(text, pen)
    return Section("code", terminal.render(pen.take(text)))


def _patch(text: str, pen: Pen) -> Section:
    lines = pen.take_lines(characters.without_controls(text).split("\n"))
    return Section("diff", diff.render(lines, is_patch=True))


def _shell(value: dict[str, Any], pen: Pen) -> Iterator[Section]:
    command = tool_calls.command_of(value.get("command") or value.get("cmd"))
    if command:
        about = value.get("description", "")
        label = characters.one_line(about, 300) if isinstance(about, str) else ""
        # The language also shows where a quoted text begins and ends, which is what misleads.
        shown = code.colour(_with_returns(pen.take(command)), "bash", pen.budget)
        yield Section("terminal is-command", shown, label)
        told = ("command", "cmd", "description")
        yield from _fields({name: item for name, item in value.items() if name not in told}, pen)


def _with_returns(command: str) -> str:
    """A carriage return would hide on a terminal what stands before it: here it is seen."""
    return command.replace("\r\n", "\n").replace("\r", "␍")


def _edit(value: dict[str, Any], pen: Pen) -> Iterator[Section]:
    path = _path(value)
    edits = value.get("edits") if isinstance(value.get("edits"), list) else [value]
    for edit in (edits or [])[:EDITS_SHOWN]:
        if not isinstance(edit, dict):
            continue
        old = edit.get("old_string", edit.get("old_str", edit.get("old", "")))
        new = edit.get("new_string", edit.get("new_str", edit.get("new_source", edit.get("new"))))
        if isinstance(old, str) and isinstance(new, str):
            lines = pen.take_lines(diff.edit_lines(old, new))
            yield Section("diff", diff.render(lines, is_patch=False), path)


def _write(value: dict[str, Any], pen: Pen) -> Iterator[Section]:
    content = value.get("content", value.get("file_text"))
    if isinstance(content, str):
        path = str(value.get("file_path") or value.get("path") or "")
        yield pen.code(content, code.language_of_path(path), path)


def _apply_patch(value: dict[str, Any], pen: Pen) -> Iterator[Section]:
    text = value.get("input", value.get("patch", value.get("patchText")))
    if isinstance(text, str):
        yield _patch(text, pen)


def _plan(value: dict[str, Any], pen: Pen) -> Iterator[Section]:
    items = value.get("todos", value.get("plan", value.get("items")))
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return
    words = {"completed": _("done"), "done": _("done"), "in_progress": _("in progress"),
             "cancelled": _("cancelled")}  # fmt: skip
    out = []
    for item in items[:500]:
        status = str(item.get("status", ""))
        text = item.get("content") or item.get("step") or item.get("title") or ""
        sign, word = TODO_SIGNS.get(status, "☐"), words.get(status, _("to do"))
        css = status if status in words else "pending"
        shown = characters.prose(pen.take(str(text)))
        out.append(
            f'<li class="is-{css}"><span aria-hidden="true">{sign}</span>'
            f'<span class="visually-hidden">{escape(word)}</span> <span>{shown}</span></li>'
        )
    yield Section("plan", SafeString(f'<ul class="plan">{"".join(out)}</ul>'))


def _fields(value: dict[str, Any], pen: Pen) -> Iterator[Section]:
    """An object as names and values; long texts keep their lines."""
    rows = []
    for name, item in value.items():
        if pen.left <= 0:
            pen.is_cut = True
            break
        label = characters.one_line(str(name), SHORT)
        rows.append(f"<div><dt>{label}</dt><dd>{_field(item, pen)}</dd></div>")
    if rows:
        yield Section("fields", SafeString(f'<dl class="fields">{"".join(rows)}</dl>'))


def _field(item: Any, pen: Pen) -> str:
    if isinstance(item, str):
        shown = terminal.render(pen.take(item))
        if len(item) <= SHORT and "\n" not in item:
            return f"<code>{shown}</code>"
        return f'<pre tabindex="0">{shown}</pre>'
    if isinstance(item, dict | list) and item:
        return f'<pre tabindex="0"><code>{pen.json(item).html}</code></pre>'
    return f"<code>{escape(pen.take(structured.pretty(item)))}</code>"


def _path(value: dict[str, Any]) -> SafeString:
    path = value.get("file_path") or value.get("path") or value.get("notebook_path") or ""
    return characters.one_line(str(path), 300)


SHOWN: dict[str, Callable[[dict[str, Any], Pen], Iterator[Section]]] = {
    tool_calls.SHELL: _shell,
    tool_calls.EDIT: _edit,
    tool_calls.WRITE: _write,
    tool_calls.PATCH: _apply_patch,
    tool_calls.PLAN: _plan,
}
