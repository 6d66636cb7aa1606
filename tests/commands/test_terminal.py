from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.management.terminal import as_json, columns, drawn, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain  words", "plain  words"),
        ("中文 and 👩‍💻", "中文 and 👩‍💻"),
        (" two \r\n\t lines ", "two lines"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("eight bit \x9b2J", r"eight bit \x9b2J"),
        ("turn\u202eed", r"turn\u202eed"),
        ("half \ud83d", r"half \ud83d"),
        ("a\u2028b", r"a\u2028b"),
    ],
)
def test_nothing_acts_on_the_terminal(text: str, shown: str) -> None:
    assert one_line(text) == shown


@given(st.text())
def test_one_line_is_printable_and_json_keeps_its_meaning(text: str) -> None:
    assert "\x1b" not in one_line(text) and "\n" not in one_line(text)
    written = as_json({"text": text})
    assert json.loads(written) == {"text": text}
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in written)


def test_chinese_stays_readable_in_json() -> None:
    assert as_json(["登录", "\x9b\u202e\U000e0041"]) == '["登录", "\\u009b\\u202e\\udb40\\udc41"]'


def test_columns_are_aligned_by_what_they_fill_on_the_screen() -> None:
    assert columns([("ID", "TITLE"), ("登录", "x"), ("abc", "")]) == "ID    TITLE\n登录  x\nabc"


def test_markup_in_content_is_only_text() -> None:
    assert drawn("[bold]x[/bold] :smile:", color=False) == "[bold]x[/bold] :smile:"
