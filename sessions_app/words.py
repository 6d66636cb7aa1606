"""Text -> search tokens, the same for what is indexed and for what is asked.

A token is a run of letters and digits, folded: full-width forms, case and accents make no
difference. Scripts that are written without spaces, and signs such as emoji, become single
characters, so that a phrase of tokens is an exact run of characters of any length.
"""

from __future__ import annotations

import re
import unicodedata

VERSION = 1  # of what `tokens` and `parts` answer: another one needs another index
LONGEST = 500  # characters of one token that PostgreSQL's index keeps

# Scripts without spaces: Chinese, Japanese, Korean; Thai, Lao, Tibetan, Burmese, Khmer.
SPACELESS = (
    (0x0E00, 0x10A0), (0x1100, 0x1200), (0x1780, 0x1800), (0x2E80, 0x3400), (0x3400, 0x4DC0),
    (0x4E00, 0xA000), (0xA960, 0xA980), (0xAC00, 0xD800), (0xF900, 0xFB00),
)  # fmt: skip


def _character_class() -> str:
    """The letters of these scripts for a regular expression; their other signs are none."""
    letters = [code for first, end in SPACELESS for code in range(first, end)
               if chr(code).isalnum()]  # fmt: skip
    starts = [code for code in letters if not chr(code - 1).isalnum()]
    return "".join(f"{chr(code)}-{chr(_last(code))}" for code in starts)


def _last(code: int) -> int:
    while chr(code + 1).isalnum():
        code += 1
    return code


ALONE = _character_class()
TOKEN = re.compile(rf"[{ALONE}]|[^\W_{ALONE}]+")
PLAIN_TOKEN = re.compile("[a-z0-9]+")
# What is more than ASCII and punctuation such as the arrows and frames in the output of tools.
LOUD = re.compile(
    "[^\0-\x7f\u2000-\u2064\u2190-\u22ff\u2500-\u25ff\u3000-\u3002\u3008-\u3011\uff01-\uff0f"
    "\uff1a-\uff20\ufffd]"
)
# Letters that may bear an accent: Latin, Greek and Cyrillic ones, and the accents themselves.
ACCENTED = re.compile("[\u00c0-\u052f\u1e00-\u1fff]")
ACCENTS = re.compile("[\u0300-\u036f]+")
# Signs, and letters that SQLite's tables do not know: each becomes a token with a plain name.
SIGN = re.compile("[\u19b0-\u19c9\u1cf2\u1cf3\u2600-\u27bf\U00010000-\U0010ffff]")

# For identifiers: what kind of character stands where, so that a search for bytes finds them.
KINDS = bytes(
    65 if 65 <= code <= 90 else 97 if 97 <= code <= 122 else 48 if 48 <= code <= 57 else 32
    for code in range(256)
)
HUMPS = (b"aA", b"AAa")  # getUser, HTTPServer
PART = re.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
LONGEST_NAME, MOST_PARTS, SHORTEST_PART = 60, 8, 3  # beyond it is a code, not a name


def indexable(text: str) -> str:
    """`text` as SQLite's own tokenizer may read it: mostly the same object."""
    return text if is_plain(text) else " ".join(TOKEN.findall(fold(text)))


def tokens(text: str) -> list[str]:
    """The tokens of `text` in their order."""
    if is_plain(text):
        return PLAIN_TOKEN.findall(text.lower())
    return TOKEN.findall(fold(text))


def is_plain(text: str) -> bool:
    """Whether its tokens are runs of ASCII letters and digits."""
    return text.isascii() or LOUD.search(text) is None


def fold(text: str) -> str:
    """Full-width forms as usual ones, small letters, no accents; signs by their names."""
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    text = text.casefold()
    if ACCENTED.search(text):
        bare = ACCENTS.sub("", unicodedata.normalize("NFD", text))
        text = unicodedata.normalize("NFKC", bare)
    return SIGN.sub(_named, text)


def _named(sign: re.Match[str]) -> str:
    return f" u{ord(sign[0]):x} "


def parts(text: str) -> str:
    """The words inside of identifiers such as getUserName, each once; mostly none.

    Those of get_user_name and src/auth/login.py are tokens of their own anyway.
    """
    data = text.encode("ascii", "replace")
    kinds = data.translate(KINDS)
    found: dict[str, None] = {}
    for hump in HUMPS:
        place = kinds.find(hump)
        while place >= 0:
            start, end = kinds.rfind(b" ", 0, place) + 1, kinds.find(b" ", place)
            end = len(kinds) if end < 0 else end
            if end - start <= LONGEST_NAME:
                found.update(dict.fromkeys(_parts(data[start:end].decode())))
            place = kinds.find(hump, end)
    return " ".join(found)


def _parts(name: str) -> list[str]:
    """Lower case; none of a random code such as dGhpcyBpcw."""
    found = PART.findall(name)
    if len(found) > MOST_PARTS or len(name) < SHORTEST_PART * len(found):
        return []
    return [part.lower() for part in found if len(part) > 1]


def unescaped(text: str) -> str:
    r"""JSON as text of the same length: `\n` and the like as blanks, or `\nword` is `nword`."""
    if "\\" not in text:
        return text
    text = text.replace("\\\\", "  ")
    for escape in ("\\n", "\\t", "\\r", "\\b", "\\f", '\\"'):
        text = text.replace(escape, "  ")
    return ESCAPE.sub(_character, text) if "\\u" in text else text


ESCAPE = re.compile(r"(?:\\u[0-9a-fA-F]{4})+")


def _character(escapes: re.Match[str]) -> str:
    data = bytes.fromhex(escapes[0].replace("\\u", ""))
    return data.decode("utf-16-be", "replace").ljust(len(escapes[0]))
