"""Patterns of paths that must never be opened: private work stays out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from sessions_app.agents.folders import Excluded

# What stands in a pattern for what in a path; `*` and `?` stay within one name.
WILD = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\]")
WORDS = {"**/": r"(?:[^/]+/)*", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}


def matcher(patterns: Iterable[str]) -> Excluded | None:
    """Whether a path is excluded by one of these patterns; None when there are none.

    A path is tried as it is called and as it is really called, behind links. Case does not
    matter: what was meant to stay private must not enter by a capital letter.
    """
    words = tuple(dict.fromkeys(pattern.strip() for pattern in patterns if pattern.strip()))
    if not words:
        return None
    expression = _compiled(words)

    def excluded(path: str) -> bool:
        if expression.fullmatch(path):
            return True
        real = os.path.realpath(path)
        return real != path and expression.fullmatch(real) is not None

    return excluded


@lru_cache(maxsize=64)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    alternatives = "|".join(f"(?:{_expression(pattern)})" for pattern in patterns)
    # What lies below an excluded folder is excluded, too.
    return re.compile(f"(?:{alternatives})(?:/.*)?", re.IGNORECASE | re.DOTALL)


def matches(pattern: str, home: Path, paths: Iterable[str]) -> set[str]:
    """Those of these paths, as they are called, that the pattern excludes."""
    expression = _compiled((at_home(pattern, home),))
    return {path for path in paths if expression.fullmatch(path)}


def at_home(pattern: str, home: Path) -> str:
    """`~/x` begins at this home folder."""
    pattern = pattern.strip()
    if pattern != "~" and not pattern.startswith("~/"):
        return pattern
    # What the folder itself is called is no pattern.
    return re.sub(r"([*?\[])", r"[\1]", str(home).rstrip("/")) + pattern[1:]


def _expression(pattern: str) -> str:
    """`/x` begins at the root, anything else at any depth."""
    pattern = pattern.rstrip("/") or "/"
    while pattern.endswith("/**"):
        pattern = pattern[:-3]
    return ("" if pattern.startswith("/") else "(?:.*/)?") + _translated(pattern)


def _translated(pattern: str) -> str:
    out, at = "", 0
    for wild in WILD.finditer(pattern):
        out += re.escape(pattern[at : wild.start()]) + _word(wild[0])
        at = wild.end()
    return out + re.escape(pattern[at:])


def _word(wild: str) -> str:
    if wild in WORDS:
        return WORDS[wild]
    inner = wild[1:-1]
    negated = inner.startswith("!")
    inner = re.sub(r"([\\\[\]^&~|])", r"\\\1", inner.removeprefix("!"))
    return f"(?!/)[{'^' if negated else ''}{inner}]" if inner else re.escape(wild)


def complaint(pattern: str) -> str:
    """Why this cannot be a pattern, as a key for a sentence; "" when it can."""
    pattern = pattern.strip()
    if not pattern.strip("/*?~. "):
        return "everything"
    if any(ord(letter) < 32 for letter in pattern):
        return "control"
    try:
        _compiled((pattern,))
    except re.error:
        return "brackets"
    return ""
