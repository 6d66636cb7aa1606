"""The border: what comes from outside is made storable, alike on SQLite and PostgreSQL.

The two engines differ exactly on NUL, lone surrogates, NaN, integers beyond 64 bits and
over-long text, so no such value passes here.
"""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_INT = 2**63 - 1
NUL_SIGN = "\u2400"
MAX_DEPTH = 64
MAX_PATH = 1024  # bytes of a file's path that the tables keep
CONTROL = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")  # signs that hide or mislead
DRIVE = re.compile(r"[A-Za-z]:")
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def clean_text(text: str, limit: int | None = None) -> str:
    """`text` without NUL and lone surrogates, cut at `limit` characters (an ellipsis is added)."""
    if "\0" in text:
        text = text.replace("\0", NUL_SIGN)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if limit is not None and len(text) > limit:
        return text[: max(limit - 1, 0)] + "…"
    return text


def clean_line(text: str, limit: int) -> str:
    """One line of at most `limit` characters: for titles, names and list columns."""
    return clean_text(" ".join(text[: limit * 4].split()), limit)


def clean_name(text: str, limit: int) -> str:
    """A name that tells things apart: as it is if it can be stored in `limit` bytes.

    What cannot keeps its head and gets a hash of the whole, so that two long names stay two.
    Bytes, since PostgreSQL takes at most some 2,700 of them into an index.
    """
    if len(text) <= limit and text.isascii() and "\0" not in text:
        return text
    clean = clean_text(text)
    data = clean.encode()
    if clean == text and len(data) <= limit:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{data[: limit - 33].decode('utf-8', 'ignore')}~{digest}"


def is_tame(path: str) -> bool:
    """Whether others may make a path of this name: relative, only downwards, nothing hidden."""
    parts = path.split("/")
    return (
        bool(path)
        and not any(part.strip() in ("", ".", "..") or part != part.strip() for part in parts)
        and "\\" not in path
        and not DRIVE.match(path)
        and not any(unicodedata.category(sign) in CONTROL for sign in path)
    )


def clean_count(value: object) -> int:
    """A count from 0 to 2**63-1; anything that is not such a number counts as 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    if isinstance(value, float):
        if not math.isfinite(value):
            return 0
        value = int(value)
    return value if 0 <= value <= MAX_INT else 0


def is_count(value: object) -> bool:
    """Whether `value` is a number that `clean_count` keeps as it is (None = not told: fine)."""
    return value is None or (
        isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_INT
    )


def clean_money(value: object) -> Decimal | None:
    """USD as Decimal with nine places, or None for what is no sensible amount."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        amount = Decimal(str(value))
    except (InvalidOperation, ValueError):  # ValueError: an integer of more than 4,300 digits
        return None
    if not amount.is_finite() or amount < 0 or amount >= 10**9:
        return None
    return amount.quantize(Decimal("1e-9"))


def clean_time(value: datetime | None, *, now: datetime) -> datetime | None:
    """UTC, not after `now` (a wrong clock must not hide new work), not before 1970."""
    if value is None:
        return None
    try:
        moment = value.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return min(moment, now) if moment >= EARLIEST else None


def clean_json(value: Any, depth: int = 0) -> Any:
    """Any decoded JSON, made storable: NaN becomes null, huge integers text, deep levels cut."""
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -MAX_INT <= value <= MAX_INT else _digits(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth >= MAX_DEPTH:
        return "…"
    if isinstance(value, dict):
        return {
            clean_text(str(key), 500): clean_json(item, depth + 1) for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [clean_json(item, depth + 1) for item in value]
    return clean_text(str(value))


def _digits(value: int) -> str:
    """The first digits of a huge integer; those of an endless one are not worth their time."""
    return str(value)[:64] if value.bit_length() < 4096 else f"{value.bit_length()} bits"
