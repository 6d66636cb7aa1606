from __future__ import annotations

import time

import pytest

from sessions_app.pages.markup import characters


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("plain", "plain"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("\x1b[1;32mgreen\x1b[0m", "green"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;https://e.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("\x1bPdevice\x1b\\x", "x"),
        ("\x1b]52;c;never ended", "52;c;never ended"),
        ("bell\x07 back\x08 delete\x7f tab\t", "bell back delete tab\t"),
    ],
)
def test_controls_and_escapes_are_removed(source: str, shown: str) -> None:
    assert characters.without_controls(source) == shown


@pytest.mark.parametrize(
    "start", ["\x1b]", "\x1b[", "\x1bP", "\x1b[1;", "\x9d", "\x1b", "\x90x", "\x1b]0;a\x1b"]
)
def test_many_beginnings_are_read_in_linear_time(start: str) -> None:
    started = time.process_time()
    characters.without_controls(start * 100_000)
    assert time.process_time() - started < 1


def test_prose_is_escaped_and_shows_what_turns_the_writing() -> None:
    assert characters.prose("<b> \u202egnp") == '&lt;b&gt; <span class="char">U+202E</span>gnp'


def test_prose_keeps_joined_letters_and_right_to_left_marks() -> None:
    text = "می\u200cخواهم \u200fשלום 👩\u200d👧"
    assert characters.prose(text) == text


@pytest.mark.parametrize("char", ["\u200b", "\u200e", "\u2066", "\ufeff", "\U000e0041", "\u2028"])
def test_code_shows_every_invisible_character(char: str) -> None:
    assert f"U+{ord(char):04X}" in characters.mark_invisible(f"a{char}b")


def test_a_joined_picture_is_no_invisible_character() -> None:
    assert "U+" not in characters.mark_invisible("👩\u200d👧")


def test_a_joiner_between_letters_is_shown_in_code() -> None:
    assert "U+200D" in characters.mark_invisible("ad\u200dmin")


def test_a_label_has_one_line_and_nothing_invisible() -> None:
    assert characters.label("a\n\u202eb \x1b[31m c\u200b") == "a b c"


def test_one_line_is_cut_with_an_ellipsis() -> None:
    assert characters.one_line("a <b> " + "x" * 50, 10) == "a &lt;b&gt; xxx…"
