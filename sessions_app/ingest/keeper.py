"""The bytes that a reader reads, cut into compressed pieces for the raw record."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

from sessions_app import packing
from sessions_app.actions.prepared import RawPiece

PIECE = 1024 * 1024
# A line that never ends, or a file that says nothing, must not wait as plain bytes.
MOST_PENDING = 16 * PIECE


class RawKeeper:
    """Takes bytes as they are read; gives pieces up to where the reader has come."""

    def __init__(self, main: Path, companions: Collection[Path] = ()) -> None:
        self.main = main
        self.companions = companions
        self.start = 0
        self.pending = bytearray()
        self.packed: list[RawPiece] = []  # of the main file, before what is pending
        self.small: dict[Path, list[RawPiece]] = {}  # of companions
        self.rows: dict[Path, list[RawPiece]] = {}  # of a database, under paths of their own

    def __call__(self, path: Path, offset: int, data: bytes) -> None:
        """See agents.base.Keeper."""
        if path != self.main:
            self._keep_other(path, offset, data)
            return
        if offset != self.start + len(self.pending):  # the reader went back, or begins here
            self.start, self.pending, self.packed = offset, bytearray(), []
        self.pending += data
        if len(self.pending) >= MOST_PENDING:
            size = len(self.pending) // PIECE * PIECE
            self.packed += self._cut(size)

    def _keep_other(self, path: Path, offset: int, data: bytes) -> None:
        """A companion, or rows; what appeared after the files were listed is kept next time."""
        if path in self.companions:
            self.small[path] = cut(str(path), offset, data)
        elif str(path).startswith(f"{self.main}#"):
            self.rows.setdefault(path, []).extend(cut(str(path), offset, data))

    def _cut(self, size: int) -> list[RawPiece]:
        pieces = cut(str(self.main), self.start, bytes(self.pending[:size]))
        del self.pending[:size]
        self.start += size
        return pieces

    def take(self, upto: int, *, last: bool) -> list[RawPiece]:
        """Pieces of everything before `upto`; at the end also what waits behind it, apart.

        The companions come at the end, when their states are written.
        """
        taken = [piece for piece in self.packed if piece.offset + piece.size <= upto]
        waiting = self.packed[len(taken) :]
        if waiting and waiting[0].offset < upto:
            head, tail = split(waiting[0], upto)
            taken, waiting = [*taken, head], [tail, *waiting[1:]]
        if not waiting:
            taken += self._cut(min(max(upto - self.start, 0), len(self.pending)))
        self.packed = waiting
        taken += [piece for pieces in self.rows.values() for piece in pieces]
        self.rows = {}
        if last:
            taken += [*waiting, *self._cut(len(self.pending))]
            taken += [piece for pieces in self.small.values() for piece in pieces]
            self.packed, self.small = [], {}
        return taken


def cut(path: str, offset: int, data: bytes) -> list[RawPiece]:
    """`data` as pieces of at most 1 MiB."""
    return [
        RawPiece(path, offset + at, len(piece), hashlib.sha256(piece).digest(), packing.pack(piece))
        for at in range(0, len(data), PIECE)
        if (piece := data[at : at + PIECE])
    ]


def split(piece: RawPiece, at: int) -> tuple[RawPiece, RawPiece]:
    """One piece as two, parted at this byte of the file."""
    data = packing.unpack(piece.data)
    here = at - piece.offset
    [head], [tail] = cut(piece.path, piece.offset, data[:here]), cut(piece.path, at, data[here:])
    return head, tail
