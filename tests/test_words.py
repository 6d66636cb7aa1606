"""Tokens: the same for text and query, and the same as SQLite's own tokenizer sees them."""

from __future__ import annotations

import sqlite3
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app import words

FTS = "fts5(body, tokenize='unicode61 remove_diacritics 0')"


def seen_by_sqlite(texts: list[str]) -> list[list[str]]:
    """What SQLite's tokenizer makes of what we hand over."""
    database = sqlite3.connect(":memory:")
    database.execute(f"CREATE VIRTUAL TABLE f USING {FTS}")
    database.execute("CREATE VIRTUAL TABLE v USING fts5vocab(f, instance)")
    rows = enumerate(map(words.indexable, texts), 1)
    database.executemany("INSERT INTO f (rowid, body) VALUES (?, ?)", rows)
    found: dict[int, dict[int, str]] = defaultdict(dict)
    for term, doc, offset in database.execute("SELECT term, doc, offset FROM v"):
        found[doc][offset] = term
    return [[found[doc][at] for at in sorted(found[doc])] for doc in range(1, len(texts) + 1)]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Fix the Login", "fix the login"),
        ("get_user_name src/auth/login.py", "get user name src auth login py"),
        ("getUserName", "getusername"),
        ("数据库连接 pool", "数 据 库 连 接 pool"),
        ("ＡＢＣ１２", "abc12"),
        ("Straße Ünïcode ﬁ ОДИН Ёлка", "strasse unicode fi один елка"),
        ("カタカナ ｶﾀｶﾅ 한국", "カ タ カ ナ カ タ カ ナ 한 국"),
        ("done 🚀!", "done u1f680"),
        ("a → b…c │ d", "a b c d"),
        ("*** … ()", ""),
        ("v1.25 0x1F", "v1 25 0x1f"),
    ],
)
def test_text_becomes_tokens(text: str, tokens: str) -> None:
    assert words.tokens(text) == tokens.split()


def test_every_character_is_read_alike_by_sqlite() -> None:
    every = (*range(0xD800), *range(0xE000, 0x10000), *range(0x10000, 0x110000, 31))
    codes = list(every)
    texts = [
        " ".join(f"x{chr(code)}y" for code in codes[start : start + 64])
        for start in range(0, len(codes), 64)
    ]
    for text, seen in zip(texts, seen_by_sqlite(texts), strict=True):
        assert seen == words.tokens(text)


@given(st.text())
def test_any_text_is_read_alike_by_sqlite(text: str) -> None:
    text = text.replace("\0", " ")
    assert seen_by_sqlite([text]) == [words.tokens(text)]


@given(st.text(), st.text())
def test_what_is_cut_at_a_blank_has_the_same_tokens(one: str, other: str) -> None:
    assert words.tokens(f"{one}\n{other}") == words.tokens(one) + words.tokens(other)


@given(st.text())
def test_tokens_are_their_own_tokens(text: str) -> None:
    tokens = words.tokens(text)
    assert words.tokens(" ".join(tokens)) == tokens


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("getUserName() and getUserId", "get user name id"),
        ("class HTTPServer: XMLHttpRequest", "http server xml request"),
        ("plain words, snake_case, SHOUTING", ""),
        ("ghp_aB3xK9mQ2pR7sT4v", ""),
        ("用户getUserName", "get user name"),
        (f"{'aB' * 40}", ""),
    ],
)
def test_identifiers_have_parts(text: str, parts: str) -> None:
    found = words.parts(text).split()
    assert sorted(found) == sorted(parts.split())


def test_escapes_of_json_separate_words_and_keep_the_length() -> None:
    text = r'{"command": "cd app\nls \"C:\\new\" \u4e2d\u6587"}'
    assert words.tokens(words.unescaped(text)) == [
        "command",
        "cd",
        "app",
        "ls",
        "c",
        "new",
        "中",
        "文",
    ]
    assert len(words.unescaped(text)) == len(text)
