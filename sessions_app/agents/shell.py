"""Shell commands that are pasted into a terminal: everything from a file is quoted or refused."""

from __future__ import annotations

import shlex
import unicodedata


def is_safe_word(word: str) -> bool:
    """Whether `word` may go into a command at all: not empty, no option, no control characters."""
    return bool(word) and not word.startswith("-") and not _has_control(word)


def in_folder(folder: str, words: list[str], prompt: str | None = None) -> str | None:
    """`cd folder && words prompt`, quoted; None when the folder cannot be written safely.

    A terminal acts on control characters even inside quotes, so a prompt is sent on one line.
    """
    command = [shlex.quote(word) for word in words]
    if prompt:
        text = " ".join(_visible(prompt).split())
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
    # Cc: ESC, CR, newline; Cf: bidi marks that make a command read as another one; Cs: half of
    # a pair; Zl and Zp: line ends that are no control characters.
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
