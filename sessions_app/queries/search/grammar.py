"""What is written into a search box -> what it asks for; nothing is ever an error.

Words (all of them), "phrases", -not, this OR that, begin*, and filters as key:value.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from django.utils.translation import gettext as _

from sessions_app import words

LONGEST, MOST_TERMS, MOST_TOKENS = 1_000, 40, 64
SHORTEST_PREFIX = 2  # characters: every word begins with some letter
# Typed by an input method, they mean the same; each is one character, so that places stay.
TYPED = str.maketrans({"“": '"', "”": '"', "„": '"', "＂": '"', "：": ":", "\u3000": " ",
                       "－": "-", "＊": "*", "\0": " "})  # fmt: skip
PIECE = re.compile(
    r"""(?P<not>-(?=[^\s-]))?
    (?:(?P<key>[A-Za-z_]+):(?=[^\s:/\\]))?
    (?:"(?P<quoted>[^"]*)(?P<end>"|$)|(?P<word>[^\s"]+))
    (?P<star>\*)?""",
    re.VERBOSE,
)


class Term(NamedTuple):
    """A word or phrase: its tokens stand one after the other."""

    tokens: tuple[str, ...]
    is_prefix: bool = False  # of the last token only the beginning is given


class Chip(NamedTuple):
    """One thing that was understood, and the search without it."""

    label: str
    shown: str
    without: str


class Condition(NamedTuple):
    """A filter of the list, or its opposite."""

    name: str
    value: str
    is_not: bool


@dataclass(slots=True)
class Asked:
    """What a search asks for: every group has one of its terms, and none of `without` is there."""

    groups: list[list[Term]] = field(default_factory=list)
    without: list[Term] = field(default_factory=list)
    filters: list[Condition] = field(default_factory=list)
    chips: list[Chip] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # sentences about what was not understood

    @property
    def terms(self) -> list[Term]:
        return [term for group in self.groups for term in group]

    @property
    def has_words(self) -> bool:
        return bool(self.groups)

    @property
    def is_empty(self) -> bool:
        return not (self.groups or self.filters)


class _Reader:
    def __init__(self, text: str, known: Collection[str]) -> None:
        self.text, self.known = text, known
        self.asked = Asked()
        self.is_or = False  # the word before was OR
        self.or_span: tuple[int, int] | None = None
        self.count = 0

    def read(self) -> Asked:
        for piece in PIECE.finditer(self.text.translate(TYPED)):
            if piece["word"] in ("OR", "|") and not piece["not"] and not piece["key"]:
                self.is_or = bool(self.asked.groups)
                continue
            if self.count >= MOST_TERMS:
                self.note(
                    _("A search has at most %(most)d words; the rest was left out.")
                    % {"most": MOST_TERMS}
                )
                break
            self.count += 1
            self.take(piece)
        if self.asked.without and not self.asked.groups:
            self.note(_("Say also what to look for: a search cannot only leave out."))
            self.asked.without = []
        return self.asked

    def note(self, sentence: str) -> None:
        if sentence not in self.asked.notes:
            self.asked.notes.append(sentence)

    def take(self, piece: re.Match[str]) -> None:
        if piece["quoted"] is not None and not piece["end"]:
            self.note(_("A quotation mark is not closed: everything after it is one phrase."))
        key = (piece["key"] or "").lower()
        value = piece["quoted"] if piece["quoted"] is not None else piece["word"]
        if key in self.known:
            self.asked.filters.append(Condition(key, value.strip(), bool(piece["not"])))
            self.chip(piece, key, value.strip())
            self.is_or = False
            return
        if key:
            self.note(
                _("There is no filter “%(key)s”, so it was searched as text. Known: %(known)s.")
                % {"key": key, "known": ", ".join(self.known)}
            )
            value = f"{piece['key']}:{value}"
        self.term(piece, value)

    def term(self, piece: re.Match[str], value: str) -> None:
        tokens = tuple(words.tokens(value))[:MOST_TOKENS]
        if not tokens:
            self.note(
                _("“%(text)s” has neither letters nor digits: there is nothing to look for.")
                % {"text": value[:40]}
            )
            return
        star = bool(piece["star"]) or (piece["quoted"] is None and value.endswith("*"))
        if star and len(tokens[-1]) < SHORTEST_PREFIX:
            star = False  # of a Chinese character, the beginning of a word is the character
            if tokens[-1].isascii():
                self.note(_("A beginning such as “au*” has at least two letters."))
        tokens, star = _shortened(tokens, star)
        term = Term(tokens, star)
        if piece["not"]:
            self.asked.without.append(term)
        elif self.is_or:
            self.asked.groups[-1].append(term)
        else:
            self.asked.groups.append([term])
        self.is_or = False
        self.chip(piece, "", value)

    def chip(self, piece: re.Match[str], key: str, value: str) -> None:
        start, end = piece.span()
        before, after = self.text[:start].rstrip(), self.text[end:].lstrip()
        if before.endswith((" OR", " |")):
            before = before.rsplit(None, 1)[0]
        elif after.startswith(("OR ", "| ")):
            after = after.split(None, 1)[1]
        label = f"-{key}" if piece["not"] and key else key or (_("not") if piece["not"] else "")
        shown = f"“{value}”" if piece["quoted"] is not None and not key else value
        self.asked.chips.append(Chip(label, shown, f"{before} {after}".strip()))


def _shortened(tokens: tuple[str, ...], star: bool) -> tuple[tuple[str, ...], bool]:
    """A token beyond what the indexes keep is looked for by its beginning."""
    if len(tokens[-1]) > words.LONGEST:
        return (*tokens[:-1], tokens[-1][: words.LONGEST]), True
    return tokens, star


def read(text: str, known: Collection[str]) -> Asked:
    """What `text` asks for; `known` are the names of filters."""
    if len(text) > LONGEST:
        asked = _Reader(text[:LONGEST].rsplit(None, 1)[0], known).read()
        note = _("A search has at most %(most)s characters; the rest was left out.")
        asked.notes.append(note % {"most": f"{LONGEST:,}"})
        return asked
    return _Reader(text, known).read()


def spoken(text: str) -> Term | None:
    """All of `text` as one phrase."""
    tokens = tuple(words.tokens(text))[:MOST_TOKENS]
    return Term(tokens) if tokens else None
