"""Terminal output -> HTML: colours become classes, everything else that steers is removed."""

from __future__ import annotations

import re
from html import escape

from django.utils.safestring import SafeString

from sessions_app.pages.markup.characters import CONTROLS, ESCAPES, mark_invisible

MAX_SPANS = 5_000
COLOUR = re.compile(r"(?:\x1b\[|\x9b)([0-9;:]{0,100})m")
RUBOUT = re.compile(r"[^\n\x08]\x08")
STYLES = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike"}
ENDED_BY = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("reverse",)}
ENDED_BY |= {29: ("strike",), 39: ("fg",), 49: ("bg",)}
CUBE = (0, 95, 135, 175, 215, 255)


def render(text: str) -> SafeString:
    """`text` as HTML for the inside of <pre>."""
    if not CONTROLS.search(text):
        return SafeString(mark_invisible(escape(text)))
    parts = COLOUR.split(_overwritten(text))
    out = [_words(parts[0])]
    state: dict[str, str] = {}
    for number, (codes, words) in enumerate(zip(parts[1::2], parts[2::2], strict=True)):
        _apply(codes, state)
        shown = _words(words)
        if state and shown and number < MAX_SPANS:
            names = " ".join(sorted(state.values()))
            shown = f'<span class="{names}">{shown}</span>'
        out.append(shown)
    return SafeString("".join(out))


def _words(text: str) -> str:
    return mark_invisible(escape(CONTROLS.sub("", ESCAPES.sub("", text))))


def _overwritten(text: str) -> str:
    """What a terminal shows in the end: a carriage return writes its line anew."""
    if "\x08" in text:
        text = RUBOUT.sub("", text)
    if "\r" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(_last_writing(line) if "\r" in line else line for line in lines)


def _last_writing(line: str) -> str:
    return next((part for part in reversed(line.split("\r")) if part), "")


def _apply(codes: str, state: dict[str, str]) -> None:
    """Take over one SGR sequence; what is unknown in it changes nothing."""
    numbers = [int(code) if code and len(code) < 4 else 0 for code in re.split("[;:]", codes)]
    at = 0
    while at < len(numbers):
        code = numbers[at]
        at += 1
        if code == 0:
            state.clear()
        elif code in STYLES:
            state[STYLES[code]] = f"t-{STYLES[code]}"
        elif code in ENDED_BY:
            for name in ENDED_BY[code]:
                state.pop(name, None)
        elif code in (38, 48):
            colour, at = _extended(numbers, at)
            if colour is not None:
                state["fg" if code == 38 else "bg"] = f"t-{'fg' if code == 38 else 'bg'}{colour}"
        else:
            _simple(code, state)


def _simple(code: int, state: dict[str, str]) -> None:
    for first, name, offset in ((30, "fg", 0), (40, "bg", 0), (90, "fg", 8), (100, "bg", 8)):
        if first <= code < first + 8:
            state[name] = f"t-{name}{code - first + offset}"


def _extended(numbers: list[int], at: int) -> tuple[int | None, int]:
    """One of 256 colours or RGB, brought to the nearest of 16; and where the next code stands."""
    kind = numbers[at] if at < len(numbers) else 0
    if kind == 5 and at + 1 < len(numbers):
        return _of_256(numbers[at + 1]), at + 2
    if kind == 2 and at + 3 < len(numbers):
        return _nearest(*numbers[at + 1 : at + 4]), at + 4
    return None, len(numbers)


def _of_256(number: int) -> int | None:
    if number < 16:
        return number
    if number < 232:
        cube = number - 16
        return _nearest(CUBE[cube // 36], CUBE[cube // 6 % 6], CUBE[cube % 6])
    if number < 256:
        return _nearest(*[8 + (number - 232) * 10] * 3)
    return None


def _nearest(red: int, green: int, blue: int) -> int:
    most = max(red, green, blue)
    if most - min(red, green, blue) < 40:  # a grey
        return 0 if most < 64 else 8 if most < 140 else 7 if most < 220 else 15
    bits = sum(1 << place for place, value in enumerate((red, green, blue)) if value > most * 0.6)
    return bits + (8 if most > 200 else 0)
