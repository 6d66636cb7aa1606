"""How long one response may work on looks, and how much it may say."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

LEAST = 1_000  # characters of every text are shown, whatever stands before it


class Budget:
    """Seconds left for Markdown and for colours; afterwards text stays plain. Characters left.

    Limits of one text do not bound a page: a hundred messages, each just below them, would.
    """

    def __init__(
        self, *, markdown: float = 0.25, colours: float = 0.025, words: int = 400_000
    ) -> None:
        self.markdown = markdown
        self.colours = colours
        self.words = words

    def cut(self, text: str, limit: int) -> str:
        """`text` up to `limit`, or less when the page has said much already."""
        shown = text[: min(limit, max(self.words, LEAST))]
        self.words -= len(shown)
        return shown

    @contextmanager
    def for_markdown(self) -> Iterator[None]:
        """Take the time of the block from what is left for Markdown."""
        start = time.perf_counter()
        yield
        self.markdown -= time.perf_counter() - start

    @contextmanager
    def for_colours(self) -> Iterator[None]:
        """Take the time of the block from what is left for colours."""
        start = time.perf_counter()
        yield
        self.colours -= time.perf_counter() - start
