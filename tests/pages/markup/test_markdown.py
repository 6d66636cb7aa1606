from __future__ import annotations

import re
import time

import pytest

from sessions_app.pages.markup import markdown
from sessions_app.pages.markup.budget import Budget

TAG = re.compile(r"<[^>]*>")


def render(text: str) -> str:
    return markdown.render(text, Budget(markdown=60, colours=60))


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("**bold** and *soft*", "<p><strong>bold</strong> and <em>soft</em></p>"),
        ("~~gone~~", "<p><del>gone</del></p>"),
        ("- [x] done\n- [ ] open", "<ul>\n<li>☑ done</li>\n<li>☐ open</li>\n</ul>"),
        ("3. three", '<ol start="3">\n<li>three</li>\n</ol>'),
        ("# Title", '<h3 class="md-h1">Title</h3>'),
        ("**中文**后面", "<p><strong>中文</strong>后面</p>"),
        ("{{ settings.SECRET_KEY }}", "<p>{{ settings.SECRET_KEY }}</p>"),
        ("<b>not bold</b>", "<p>&lt;b&gt;not bold&lt;/b&gt;</p>"),
    ],
)
def test_common_markup_is_shown(source: str, shown: str) -> None:
    assert render(source).strip() == shown


def test_a_link_of_the_web_opens_outside_and_tells_nothing() -> None:
    html = render("[page](https://example.com/?a=1&b=2) and www.example.com")
    assert html.count('target="_blank"') == 2
    assert html.count('rel="noopener noreferrer nofollow"') == 2
    assert 'href="https://example.com/?a=1&amp;b=2"' in html


@pytest.mark.parametrize(
    "target",
    [
        "javascript:window.__x=3",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "/sign-out/",
        "//evil.example/x",
        "src/app.py",
        "&#106;avascript:alert(1)",
    ],
)
def test_any_other_link_leads_nowhere_but_tells_where_it_wanted_to_go(target: str) -> None:
    html = render(f"[text](<{target}>)")
    assert "href" not in html
    assert "title=" in html
    assert ">text</a>" in html


def test_an_image_is_not_loaded_but_becomes_a_link() -> None:
    html = render('![a "plan"](https://example.com/p.png "x")')
    assert "<img" not in html
    assert 'href="https://example.com/p.png"' in html
    assert "a &quot;plan&quot;</a>" in html or 'a "plan"</a>' in html


@pytest.mark.parametrize(
    "source",
    [
        "<script>window.__x=1</script>",
        "<img src=y onerror=window.__x=2>",
        '<div hx-get="/x" hx-trigger="load"></div>',
        '<a href="x" data-hx-get="/x" style="position:fixed" id="main" name="q">x</a>',
        "<iframe srcdoc='<script>1</script>'></iframe>",
        "<svg onload=alert(1)><math><mi//xlink:href='javascript:1'>",
        "```html\n<script>1</script>\n```",
        '`<img src=x onerror="1">`',
        '| <script> | a |\n|--|--|\n| <b onclick="1"> | b |',
        '[x](https://e.example "onmouseover=alert(1)")',
        '```py" onclick="alert(1)\nx\n```',
        "<!-- --><![CDATA[ x ]]><?php ?>",
    ],
)
def test_no_tag_and_no_attribute_of_the_text_reaches_the_page(source: str) -> None:
    for tag in TAG.findall(render(source)):
        assert not re.search(r"\son\w+=|hx-|style=|\sid=|\sname=|src=|javascript:", tag), tag
        assert not re.match(r"<(script|img|iframe|svg|math|div hx|b\b)", tag), tag


def test_code_has_its_language_its_colours_and_a_place_to_scroll() -> None:
    html = render("```python\ndef f():\n    return '<x>'\n```")
    assert '<span class="code-language">python</span>' in html
    assert '<pre tabindex="0"><code>' in html
    assert '<span class="k">def' in html
    assert "&lt;x&gt;" in html


def test_a_table_scrolls_in_its_own_box() -> None:
    html = render("| a | b |\n|:--|--:|\n| 1 | 2 |")
    assert 'class="scroll-box" role="region" tabindex="0"' in html
    assert '<td align="right">2</td>' in html


def test_direction_marks_and_escapes_have_no_effect() -> None:
    html = render("safe \u202egnp.exe \x1b[31mred\x1b[0m \x1b]0;title\x07 \x08")
    assert '<span class="char">U+202E</span>' in html
    assert "\u202e" not in html
    assert "\x1b" not in html
    assert "title" not in html


def test_piled_up_accents_are_cut() -> None:
    html = render("Z" + "\u0301" * 500)
    assert html.count("\u0301") == 4


BOMBS = {
    "quotes": "> " * 20_000,
    "nested lists": "".join("  " * depth + "- a\n" for depth in range(300)),
    "nested emphasis": "*a **b " * 3_000,
    "brackets": "[" * 50_000,
    "links": "[a](b" * 10_000,
    "stars": "*a_ " * 20_000,
    "backticks": "".join("`" * n + " " for n in range(1, 400)),
    "wide table": "|" + "a|" * 5_000 + "\n|" + "-|" * 5_000 + "\n" + "|a\n" * 10,
    "long table": "|" + "a|" * 100 + "\n|" + "-|" * 100 + "\n" + "|\n" * 10_000,
    "less-than": "<" * 60_000,
    "address": "https://x" + ".x" * 30_000,
    "references": "[a]: " + "x" * 10_000 + "\n\n" + "[a]" * 20_000,
    "one long line": "a" * 200_000,
    "too long": "word " * 60_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_and_stays_small(name: str) -> None:
    started = time.process_time()
    html = render(BOMBS[name])
    assert time.process_time() - started < 1
    assert len(html) < 15 * len(BOMBS[name]) + 30_000


def test_what_is_too_complex_is_shown_as_plain_text_with_a_note() -> None:
    html = render("> " * 100 + "*deep* <b>")
    assert 'class="plain-note"' in html
    assert "*deep* &lt;b&gt;" in html


def test_without_time_left_text_stays_plain() -> None:
    assert "<strong>" not in markdown.render("**bold**", Budget(markdown=0))


def test_formatting_takes_from_the_budget() -> None:
    budget = Budget(markdown=1)
    markdown.render("**bold**", budget)
    assert budget.markdown < 1
