from __future__ import annotations

import re
import time

import pytest

from sessions_app.pages.markup import terminal


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("plain <b>", "plain &lt;b&gt;"),
        ("\x1b[1;32mgreen\x1b[0m end", '<span class="t-bold t-fg2">green</span> end'),
        ("\x1b[91mbright\x1b[39m off", '<span class="t-fg9">bright</span> off'),
        ("\x1b[41mground\x1b[m", '<span class="t-bg1">ground</span>'),
        ("\x1b[38;5;196mcube\x1b[0m", '<span class="t-fg9">cube</span>'),
        ("\x1b[38;5;3mold\x1b[0m", '<span class="t-fg3">old</span>'),
        ("\x1b[38;2;0;0;250mrgb\x1b[0m", '<span class="t-fg12">rgb</span>'),
        ("\x1b[38;5;244mgrey\x1b[0m", '<span class="t-fg8">grey</span>'),
        ("\x1b[4mline\x1b[24m \x1b[7mturned", '<span class="t-underline">line</span> <span class'
         '="t-reverse">turned</span>'),
        ("\x1b[99;38;5mcut short", "cut short"),
        ("\x1b[1mbold\x1b[22m thin", '<span class="t-bold">bold</span> thin'),
        ("\x1b[31m\x1b[32mlast wins", '<span class="t-fg2">last wins</span>'),
    ],
)  # fmt: skip
def test_colours_become_classes(source: str, shown: str) -> None:
    assert terminal.render(source) == shown


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("\x1b]0;title\x07", ""),
        ("\x1b]52;c;aGk=\x07", ""),
        ("x\x08y\rz", "z"),
        ("10%\r50%\r100%\ndone", "100%\ndone"),
        ("kept\r\nlines\r\n", "kept\nlines\n"),
        ("cleared\r", "cleared"),
        ("b\x08bo\x08ol\x08ld\x08d", "bold"),
        ("\x1b[2J\x1b[1;1Hmoved", "moved"),
        ("\x07\x00\x7f\x9c", ""),
    ],
)
def test_what_steers_a_terminal_is_removed(source: str, shown: str) -> None:
    assert terminal.render(source) == shown


def test_every_span_is_closed_and_no_control_character_stays() -> None:
    html = terminal.render("".join(f"\x1b[{code}m{code}\x1b" for code in range(120)))
    assert html.count("<span") == html.count("</span>")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", html)


def test_a_flood_of_colours_is_read_in_linear_time_and_stops_to_be_coloured() -> None:
    started = time.process_time()
    html = terminal.render("\x1b[31ma\x1b[32mb" * 50_000)
    assert time.process_time() - started < 2
    assert html.count("<span") == terminal.MAX_SPANS
    assert html.count("a") > 50_000


def test_huge_codes_are_no_colours() -> None:
    assert terminal.render("\x1b[" + "9" * 90 + "mx") == "x"
