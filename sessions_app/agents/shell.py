"""Shell commands that are pasted into a terminal: everything from a file is quoted or refused."""

from __future__ import annotations

import shlex
import unicodedata

# Marks that make a command read as another one.
BIDI = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_safe_word(word: str) -> bool:
    """Whether `word` may go into a command at all: not empty, no option, no control characters."""
    return bool(word) and not word.startswith("-") and not _has_control(word)


def in_folder(
    folder: str, words: list[str], prompt: str | None = None, *, option: str = ""
) -> str | None:
    """`cd folder && words prompt`, quoted; None when the folder cannot be written safely.

    A terminal acts on control characters even inside quotes, so a prompt is sent on one line.
    `option` is for programs that take a prompt by one only.
    """
    command = [shlex.quote(word) for word in words]
    if prompt:
        text = " ".join(_visible(prompt).split())
        if option:
            command.append(f"{option}={shlex.quote(text)}")
        else:
            command += ["--"] * text.startswith("-") + [shlex.quote(text)]
    if not folder:
        return " ".join(command)
    if not is_safe_word(folder):
        return None
    return f"cd {shlex.quote(folder)} && {' '.join(command)}"


def _has_control(text: str) -> bool:
    return any(_is_control(char) for char in text)


def _visible(text: str) -> str:
    return "".join(" " if _is_control(char) else char for char in text)


def _is_control(char: str) -> bool:
    # Cc: ESC, CR, newline; Cs: half of a pair; Zl and Zp: line ends of another kind.
    return char in BIDI or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
