from __future__ import annotations

import re
import time
from html import unescape

import pytest

from sessions_app.pages.markup import code, diff, structured
from sessions_app.pages.markup.budget import Budget


def test_known_languages_get_colours() -> None:
    html = code.colour("x = 'a<b'  # note", "py", Budget(colours=60))
    assert (
        html == """x = <span class="s">&#x27;a&lt;b&#x27;  </span><span class="c"># note</span>"""
    )


@pytest.mark.parametrize("language", ["", "nosuch", "text", "py onclick", "../etc"])
def test_unknown_languages_stay_plain(language: str) -> None:
    assert code.colour("if <x>", language, Budget()) == "if &lt;x&gt;"


def test_long_code_and_code_without_time_left_stay_plain() -> None:
    assert "<span" not in code.colour("if x: pass\n" * 1_000, "python", Budget(colours=60))
    assert "<span" not in code.colour("if never_seen: pass", "python", Budget(colours=0))


def test_what_was_coloured_once_costs_no_time_again() -> None:
    first = code.colour("if remembered: pass", "python", Budget(colours=60))
    assert code.colour("if remembered: pass", "python", Budget(colours=0)) == first


def test_the_memory_keeps_to_its_size() -> None:
    memory = code._Memory(100)
    for number in range(50):
        memory.put(("python", f"{number:10}"), "x" * 10)
    assert memory.size <= 100
    assert memory.get(("python", f"{49:10}")) == "x" * 10
    assert memory.get(("python", f"{0:10}")) is None


@pytest.mark.parametrize("name", sorted(set(code.LANGUAGES.values())))
def test_no_lexer_loses_anything_when_its_time_is_over(name: str) -> None:
    for piece in ("'", "/*", "a.", "{{", "0x", "a\n", "a ", "\n ", "_", "<!--", '"""', "-", "$("):
        text = piece * (code.LIMIT // len(piece))
        html = code.colour(text, name, Budget(colours=0.02))
        assert unescape(re.sub("<[^>]*>", "", html)) == text


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("src/app.py", "python"),
        ("C:\\x\\Main.TS", "typescript"),
        ("Dockerfile", "docker"),
        ("a/Makefile", "make"),
        ("notes", ""),
        ("x.unknown", ""),
        ("", ""),
    ],
)
def test_a_path_tells_the_language(path: str, language: str) -> None:
    assert code.language_of_path(path) == language


def test_an_edit_is_shown_as_a_difference() -> None:
    lines = diff.edit_lines("a\nb\nc", "a\nB\nc")
    assert lines == [" a", "-b", "+B", " c"]
    html = diff.render(lines, is_patch=False)
    assert html == ' a\n<span class="d-del">-b\n</span><span class="d-add">+B\n</span> c\n'


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [("", "x", ["+x"]), ("x", "", ["-x"]), ("same", "same", [" same"]), ("-- a", "", ["--- a"])],
)
def test_edits_at_the_edges(old: str, new: str, lines: list[str]) -> None:
    assert diff.edit_lines(old, new) == lines


def test_far_apart_changes_are_told_apart() -> None:
    old = [str(number) for number in range(40)]
    assert "⋯" in diff.edit_lines("\n".join(old), "\n".join(["x", *old[1:-1], "y"]))


def test_a_huge_edit_is_not_compared() -> None:
    started = time.process_time()
    lines = diff.edit_lines("a\nb\n" * 20_000, "b\na\n" * 20_000)
    assert time.process_time() - started < 1
    assert len(lines) > 80_000


def test_a_patch_keeps_its_heads() -> None:
    html = diff.render(["*** Update File: <a>", "@@", "-x", "+y", " z"], is_patch=True)
    assert '<span class="d-head">*** Update File: &lt;a&gt;\n</span>' in html
    assert '<span class="d-add">+y\n</span>' in html


@pytest.mark.parametrize("text", ["", "{", "nope", "[" * 100_000, '{"a": NaN}', "x" * 2_000_000])
def test_what_is_no_sensible_json_is_none(text: str) -> None:
    assert structured.read(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"command": "ls \\"x\\"", "b": 1}', 'ls "x"'),
        ('{"command":"cut in the mid', "cut in the mid"),
        ('{"command": "line\\nnext\\u4e2d', "line\nnext中"),
        ('{"command": 3}', ""),
        ('{"commands": "x"}', ""),
    ],
)
def test_a_field_is_found_in_cut_json(text: str, value: str) -> None:
    assert structured.field(text, "command") == value
