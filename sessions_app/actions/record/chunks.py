"""Bytes of files, each chunk of them once."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence

from sessions_app import packing
from sessions_app.actions.bulk import allocate_ids, in_groups, insert_rows
from sessions_app.actions.prepared import FilePart, RawPiece
from sessions_app.models import RawChunk, RawFile, RawPart

SMALL = 256 * 1024  # an appended piece joins the last chunk while both are within this


def write_pieces(
    parts: Sequence[FilePart], files: Mapping[str, RawFile], known: Collection[str]
) -> None:
    """Store the bytes of these parts; those of `known` files join what is there."""
    by_file: dict[str, list[RawPiece]] = {}
    for part in parts:
        for piece in part.pieces:
            by_file.setdefault(piece.path, []).append(piece)
    fresh: list[tuple[RawFile, RawPiece]] = []
    for path, pieces in by_file.items():
        file = files[path]
        if path in known:
            pieces = _join_stored(file, pieces)
        fresh += [(file, piece) for piece in pieces]
    chunks = _chunks([piece for _, piece in fresh])
    ids = allocate_ids(RawPart, len(fresh))
    insert_rows(
        RawPart,
        ("id", "file_id", "generation", "offset", "chunk_id"),
        [
            (pk, file.pk, file.generation, piece.offset, chunks[piece.sha256])
            for pk, (file, piece) in zip(ids, fresh, strict=True)
        ],
    )


def _join_stored(file: RawFile, pieces: list[RawPiece]) -> list[RawPiece]:
    """Make room: what was stored from here on is replaced, a short last chunk is joined."""
    start = pieces[0].offset
    stored = RawPart.objects.filter(file=file, generation=file.generation)
    stale = list(stored.filter(offset__gte=start).values_list("pk", "chunk"))
    last = stored.filter(offset__lt=start).order_by("-offset").select_related("chunk").first()
    if last is not None:
        over = last.offset + last.chunk.size - start
        short = last.chunk.size + pieces[0].size <= SMALL
        if over > 0 or (over == 0 and short):
            stale.append((last.pk, last.chunk_id))
            head = packing.unpack(last.chunk.data)[: start - last.offset]
            pieces = [_joined(last.offset, head, pieces[0]), *pieces[1:]]
    RawPart.objects.filter(pk__in=[pk for pk, _ in stale]).delete()
    drop_chunks({chunk for _, chunk in stale})
    return pieces


def _joined(offset: int, head: bytes, piece: RawPiece) -> RawPiece:
    data = head + packing.unpack(piece.data)
    digest = hashlib.sha256(data).digest()
    return RawPiece(piece.path, offset, len(data), digest, packing.pack(data))


def drop_chunks(chunks: set[int]) -> None:
    """Delete those of these chunks that no file holds any more."""
    for group in in_groups(chunks):
        held = set(RawPart.objects.filter(chunk__in=group).values_list("chunk", flat=True))
        RawChunk.objects.filter(pk__in=set(group) - held).delete()


def _chunks(pieces: Sequence[RawPiece]) -> dict[bytes, int]:
    """SHA-256 -> id of the stored chunk, inserting those that are new."""
    found: dict[bytes, int] = {}
    for hashes in in_groups(piece.sha256 for piece in pieces):
        rows = RawChunk.objects.filter(sha256__in=hashes).values_list("sha256", "pk")
        found.update({bytes(sha): pk for sha, pk in rows})
    fresh = {piece.sha256: piece for piece in pieces if piece.sha256 not in found}
    ids = allocate_ids(RawChunk, len(fresh))
    rows_in = []
    for pk, piece in zip(ids, fresh.values(), strict=True):
        found[piece.sha256] = pk
        rows_in.append((pk, piece.sha256, piece.size, piece.data))
    insert_rows(RawChunk, ("id", "sha256", "size", "data"), rows_in)
    return found
