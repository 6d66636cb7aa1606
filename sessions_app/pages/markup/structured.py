"""JSON for people: read with care, written with indents."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

MAX_LENGTH = 1_000_000
# Values of a text that is not whole JSON: it was cut, or never was.
FIELD = r'"%s"\s*:\s*"((?:[^"\\]|\\.){0,2000})'


def read(text: str) -> Any:
    """The value that `text` is, or None when it is no JSON, too long or too deep."""
    if len(text) > MAX_LENGTH:
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def pretty(value: Any) -> str:
    """Indented JSON, the characters of all scripts as they are."""
    try:
        return json.dumps(value, indent=2, ensure_ascii=False)
    except RecursionError:
        return msgspec.json.encode(value).decode()


def field(text: str, name: str) -> str:
    """A text value of an object that was cut somewhere, or nothing."""
    match = re.search(FIELD % re.escape(name), text)
    if match is None:
        return ""
    try:
        return str(json.loads(f'"{match[1]}"', strict=False))
    except ValueError:
        return match[1]
