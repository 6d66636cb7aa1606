"""Pieces of the stored text around what was found: plain text and the places to mark."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sessions_app import words
from sessions_app.queries.search.grammar import Term

BEFORE, LENGTH = 70, 240  # characters before the first hit, and in all
LONGEST = 2_000_000  # characters that are looked through
MOST_MARKS = 20
SLOW = 20_000  # characters that are folded one by one

Spans = list[tuple[int, int]]


class Excerpt(NamedTuple):
    """`pieces` alternate: text, marked text, text ..."""

    pieces: tuple[str, ...]
    is_hit: bool

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def excerpt(text: str, terms: Sequence[Term]) -> Excerpt:
    """The words around the first place where the most telling term stands."""
    text = text[:LONGEST]
    found = spans(text, terms)
    start = max(found[0][0] - BEFORE, 0) if found else 0
    if start:
        blank = text.find(" ", start, found[0][0])
        start = blank + 1 if 0 <= blank < start + 20 else start
    end = min(max(start + LENGTH, found[0][1] if found else 0), len(text), start + 2 * LENGTH)
    inside = [(max(a, start), min(b, end)) for a, b in found if a < end and b > start]
    return Excerpt(tuple(_pieces(text, start, end, inside[:MOST_MARKS])), bool(found))


def _pieces(text: str, start: int, end: int, marks: Spans) -> Iterable[str]:
    at = start
    lead = "…" if start else ""
    for first, last in marks:
        yield lead + _flat(text[at:first])
        yield _flat(text[first:last])
        at, lead = last, ""
    yield lead + _flat(text[at:end]) + ("…" if end < len(text) else "")


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def spans(text: str, terms: Iterable[Term]) -> Spans:
    """Where the terms stand, in order and apart. Never much work, whatever the text."""
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = text
    found: Spans = []
    missing = []
    for term in terms:
        here = _plain(lowered, term)
        found += here
        if not here:
            missing.append(term)
    if missing and not words.is_plain(text):
        found += _folded(text, missing)
    if not found:
        found = [span for term in missing for span in _anywhere(lowered, term)]
    return _apart(sorted(found))


def _plain(text: str, term: Term) -> Spans:
    """In text as it is: whole words, with whatever stands between the tokens of a phrase."""
    found: Spans = []
    for match in _pattern(term).finditer(text):
        if _is_whole(text, match.start(), match.end(), term):
            found.append((match.start(), _end(text, match.end(), term)))
            if len(found) >= MOST_MARKS:
                break
    return found


def _end(text: str, end: int, term: Term) -> int:
    """Of a beginning the whole word is marked."""
    while term.is_prefix and end < len(text) and text[end].isalnum():
        end += 1
    return end


def _pattern(term: Term) -> re.Pattern[str]:
    tokens = [re.escape(_sign(token)) for token in term.tokens]
    return re.compile(r"[\W_]{0,40}".join(tokens))


def _sign(token: str) -> str:
    """The character behind a token such as u1f680."""
    if re.fullmatch("u[0-9a-f]{4,6}", token) and int(token[1:], 16) < 0x110000:
        sign = chr(int(token[1:], 16))
        return sign if words.SIGN.match(sign) else token
    return token


def _is_whole(text: str, start: int, end: int, term: Term) -> bool:
    first, last = term.tokens[0], term.tokens[-1]
    begins = not start or not _goes_on(text[start - 1], first[0])
    ends = term.is_prefix or end >= len(text) or not _goes_on(text[end], last[-1])
    return begins and ends


def _goes_on(neighbour: str, own: str) -> bool:
    """Whether two characters belong to one token."""
    return neighbour.isalnum() and not (_is_alone(neighbour) or _is_alone(own))


def _is_alone(character: str) -> bool:
    return not character.isascii() and len(words.tokens(f"a{character}")) == 2


def _folded(text: str, terms: Sequence[Term]) -> Spans:
    """Full-width forms, accents: folded character by character, with the way back."""
    folded, origin = [], []
    for place, character in enumerate(text[:SLOW]):
        plain = character
        if not character.isascii():
            plain = unicodedata.normalize("NFKD", character).casefold()
            plain = words.ACCENTS.sub("", plain)
        folded.append(plain.lower())
        origin += [place] * len(plain)
    origin.append(min(len(text), SLOW))
    joined = "".join(folded)
    if len(joined) != len(origin) - 1:
        return []
    spans = [span for term in terms for span in _plain(joined, term)]
    return [(origin[start], origin[end - 1] + 1) for start, end in spans]


def _anywhere(text: str, term: Term) -> Spans:
    """Inside of identifiers."""
    match = _pattern(term).search(text)
    return [match.span()] if match else []


def _apart(found: Spans) -> Spans:
    out: Spans = []
    for start, end in found:
        if not out or start >= out[-1][1]:
            out.append((start, end))
    return out
