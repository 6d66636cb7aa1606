"""Program text with colours: Pygments' lexers, a few classes, a bounded memory of results."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from functools import cache
from html import escape

from django.utils.safestring import SafeString
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Generic, Keyword, Name, Number, Operator, String, _TokenType

from sessions_app.pages.markup.budget import Budget
from sessions_app.pages.markup.characters import mark_invisible, without_controls

LIMIT = 8_000  # characters; longer code stays plain, because Pygments needs 1 to 10 us for each
REMEMBERED = 8_000_000  # characters of finished HTML

# Only lexers that are widely used, hence widely attacked and mended, meet hostile text.
LANGUAGES = {
    "bash": "bash", "c": "c", "c++": "cpp", "clojure": "clojure", "cpp": "cpp", "cs": "csharp",
    "csharp": "csharp", "css": "css", "dart": "dart", "diff": "diff", "docker": "docker",
    "dockerfile": "docker", "elixir": "elixir", "go": "go", "golang": "go", "h": "c",
    "haskell": "haskell", "hs": "haskell", "htm": "html", "html": "html", "ini": "ini",
    "java": "java", "javascript": "javascript", "js": "javascript", "json": "json",
    "jsonc": "json", "jsx": "javascript", "kotlin": "kotlin", "kt": "kotlin", "lua": "lua",
    "make": "make", "makefile": "make", "mjs": "javascript", "nginx": "nginx", "patch": "diff",
    "php": "php", "powershell": "powershell", "ps1": "powershell", "proto": "protobuf",
    "py": "python", "python": "python", "python3": "python", "r": "r", "rb": "ruby", "rs": "rust",
    "ruby": "ruby", "rust": "rust", "scala": "scala", "scss": "scss", "sh": "bash",
    "shell": "bash", "sql": "sql", "svelte": "html", "swift": "swift", "terraform": "terraform",
    "tf": "terraform", "toml": "toml", "ts": "typescript", "tsx": "typescript",
    "typescript": "typescript", "vim": "vim", "vue": "html", "xml": "xml", "yaml": "yaml",
    "yml": "yaml", "zig": "zig", "zsh": "bash",
}  # fmt: skip
CLASSES: dict[_TokenType, str] = {
    Comment: "c", Keyword: "k", Operator.Word: "k", String: "s", Number: "m", Name.Function: "nf",
    Name.Class: "nc", Name.Builtin: "nb", Name.Tag: "nt", Name.Attribute: "na",
    Name.Decorator: "nd", Name.Variable: "nv", Name.Constant: "no", Generic.Inserted: "gi",
    Generic.Deleted: "gd", Generic.Heading: "gh", Generic.Subheading: "gh",
}  # fmt: skip


def language_of_path(path: str) -> str:
    """The language that a file's name tells, or nothing."""
    name = path.replace("\\", "/").rpartition("/")[2].lower()
    return LANGUAGES.get(name.rpartition(".")[2], "")


def colour(code: str, language: str, budget: Budget) -> SafeString:
    """`code` as HTML for the inside of <code>; plain when unknown, long, or out of time."""
    code = without_controls(code)
    name = LANGUAGES.get(language.lower(), "")
    if not name or len(code) > LIMIT:
        return SafeString(mark_invisible(escape(code)))
    done = _memory.get((name, code))
    if done is None:
        with budget.for_colours():
            html, is_whole = _html(code, name, time.perf_counter() + budget.colours)
        done = mark_invisible(html)
        if is_whole:
            _memory.put((name, code), done)
    return SafeString(done)


@cache
def _lexer(name: str) -> Lexer:
    return get_lexer_by_name(name, stripnl=False, ensurenl=False)


def _html(code: str, name: str, deadline: float) -> tuple[str, bool]:
    """(HTML, whether all of it is coloured).

    Spans only where a colour changes: a third of what Pygments' formatter writes. Some lexers
    are quadratic on text made for it, but spread over many tokens: between them time is checked.
    """
    out: list[str] = []
    current = ""
    at = 0
    is_whole = time.perf_counter() < deadline
    for kind, value in _lexer(name).get_tokens(code) if is_whole else ():
        css = _class(kind) if not value.isspace() else current
        if css != current:
            out.append(("</span>" if current else "") + (f'<span class="{css}">' if css else ""))
            current = css
        out.append(escape(value))
        at += len(value)
        if time.perf_counter() > deadline:
            is_whole = at == len(code)
            break
    if current:
        out.append("</span>")
    out.append(escape(code[at:]))
    return "".join(out), is_whole


@cache
def _class(kind: _TokenType) -> str:
    node: _TokenType | None = kind
    while node is not None:
        if node in CLASSES:
            return CLASSES[node]
        node = node.parent
    return ""


class _Memory:
    """The latest results, up to a sum of characters."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.items: OrderedDict[tuple[str, str], str] = OrderedDict()
        self.lock = threading.Lock()

    def get(self, key: tuple[str, str]) -> str | None:
        with self.lock:
            if key in self.items:
                self.items.move_to_end(key)
            return self.items.get(key)

    def put(self, key: tuple[str, str], html: str) -> None:
        with self.lock:
            if key not in self.items:
                self.items[key] = html
                self.size += len(key[1]) + len(html)
            while self.size > self.limit:
                (_, code), old = self.items.popitem(last=False)
                self.size -= len(code) + len(old)


_memory = _Memory(REMEMBERED)
