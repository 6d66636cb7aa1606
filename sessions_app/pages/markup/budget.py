"""How long one response may work on looks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Budget:
    """Seconds left for Markdown and for colours; afterwards text stays plain.

    Sizes alone do not bound a page: a hundred messages, each just below every limit, would.
    """

    def __init__(self, *, markdown: float = 0.25, colours: float = 0.025) -> None:
        self.markdown = markdown
        self.colours = colours

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
