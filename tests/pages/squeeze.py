"""HTML as tests compare it: how a template is laid out does not matter."""

from __future__ import annotations

import re
from html import unescape
from typing import Protocol


class Answer(Protocol):
    @property
    def content(self) -> bytes: ...


def squeezed(response: Answer) -> str:
    text = re.sub(r"\s+", " ", response.content.decode())
    return unescape(re.sub(r"(?<=>) | (?=<)", "", text))
