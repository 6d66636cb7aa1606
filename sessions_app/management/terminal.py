"""What commands print: agents' words never command the terminal."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Any

from rich.cells import cell_len
from rich.console import Console, RenderableType

# Controls (ESC, and the eight-bit CSI that a UTF-8 terminal also obeys), lone surrogates, and
# what turns the direction of writing, ends a line in another way or has no width.
UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
LINE_ENDS = re.compile(r" *[\t-\r]+[\t-\r ]*")
GAP = "  "


def one_line(text: str) -> str:
    """`text` on one line, with every character that a terminal might act upon written out."""
    line = LINE_ENDS.sub(" ", text.strip())
    return UNSAFE.sub(lambda found: ascii(found[0])[1:-1], line)


def as_json(value: Any) -> str:
    """Readable JSON in which such characters are escaped, which means the same to programs."""
    return UNSAFE.sub(_escaped, json.dumps(value, ensure_ascii=False))


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def drawn(renderable: RenderableType, *, color: bool) -> str:
    """As a person's terminal shows it, at its width."""
    out = StringIO()
    width = shutil.get_terminal_size().columns
    console = Console(
        file=out,
        force_terminal=True,
        width=width,
        color_system="auto" if color else None,
        markup=False,
        emoji=False,
    )
    console.print(renderable)
    return out.getvalue().rstrip("\n")


def columns(rows: Iterable[Sequence[str]]) -> str:
    """Plain text in aligned columns, nothing cut: for pipes and files."""
    lines = [list(row) for row in rows]
    widths = [max(map(cell_len, cells)) for cells in zip(*lines, strict=True)]
    return "\n".join(
        GAP.join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )
