"""What the search index is told of a message or a call. Pure; runs in the parser process, too."""

from __future__ import annotations

from sessions_app import words

BARRIER = "xbarrierx"  # a token between two texts, so that no phrase runs from one to the next

Found = tuple[str, str]  # the words, and those inside of identifiers


def of_message(text: str, thinking: str) -> Found:
    """The index entry of a message."""
    return joined(text, thinking)


def of_call(given: str, answer: str) -> Found:
    """The index entry of a tool call: its input as JSON, and its output."""
    return joined(words.unescaped(given), answer)


def answered(call: Found, given: str, answer: str) -> Found:
    """`of_call(given, answer)` from `call`, which is `of_call(given, "")`."""
    if not answer:
        return call
    body, parts = joined(answer)
    if not given:
        return body, parts
    return f"{call[0]} {BARRIER} {body}", " ".join(filter(None, (call[1], parts)))


def joined(*texts: str | None) -> Found:
    """The entry of texts that no phrase connects."""
    said = [text for text in texts if text]
    body = f" {BARRIER} ".join(map(words.indexable, said))
    return body, " ".join(filter(None, map(words.parts, said)))
