"""The raw record: files as they were, in compressed chunks that are stored once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from django.db.models import Sum

from sessions_app import packing
from sessions_app.actions.bulk import allocate_ids, in_groups, insert_rows, moments
from sessions_app.actions.prepared import FilePart, FileState, RawPiece
from sessions_app.actions.record.batch import Collector, Entry
from sessions_app.models import RawChunk, RawFile, RawPart

SMALL = 256 * 1024  # an appended piece joins the last chunk while both are within this
FILE_COLUMNS = (
    "id", "collector_id", "session_id", "source", "host", "path", "main_path", "size",
    "mtime_ns", "generation", "raw_size", "offset", "line", "reader_version", "reader_state",
    "head_size", "head_hash", "tail_hash", "first_read_at", "last_read_at", "failed",
)  # fmt: skip
STATE = ("main_path", "size", "mtime_ns", "offset", "line", "reader_version", "reader_state",
         "head_size", "head_hash", "tail_hash", "failed")  # fmt: skip


def record(
    parts: Sequence[FilePart], entries: Sequence[Entry], by: Collector, owners: dict[str, int]
) -> dict[int, int]:
    """Write files, positions and bytes; answers the raw size of each session with new bytes.

    `owners` learns which session each path belongs to.
    """
    owners.update({entry.path: entry.session.pk for entry in entries})
    states: dict[str, tuple[FileState, FilePart]] = {
        state.path: (state, part) for part in parts for state in part.files
    }
    files = _files(states, by, owners)
    _write_pieces(parts, files, by)
    return _sizes(files, entries)


def _files(
    states: dict[str, tuple[FileState, FilePart]], by: Collector, owners: dict[str, int]
) -> dict[str, RawFile]:
    files: dict[str, RawFile] = {}
    for paths in in_groups(states):
        rows = RawFile.objects.filter(collector=by.user, host=by.host, path__in=paths)
        files.update({row.path: row for row in rows})
    fresh = [path for path in states if path not in files]
    for path, pk in zip(fresh, allocate_ids(RawFile, len(fresh)), strict=True):
        files[path] = RawFile(
            pk=pk, collector_id=by.user.pk, host=by.host, path=path,
            source=states[path][1].source, first_read_at=by.now,
        )  # fmt: skip
    for path, (state, part) in states.items():
        _apply(files[path], state, part, by, owners)
    insert_rows(RawFile, FILE_COLUMNS, [_row(files[path]) for path in fresh])
    known = [file for path, file in files.items() if path not in set(fresh)]
    RawFile.objects.bulk_update(
        known, [*STATE, "session", "generation", "raw_size", "last_read_at"], batch_size=100
    )
    return files


def _apply(
    file: RawFile, state: FileState, part: FilePart, by: Collector, owners: dict[str, int]
) -> None:
    for field in STATE:
        setattr(file, field, getattr(state, field))
    file.last_read_at = by.now
    owner = owners.get(state.path) or owners.get(state.main_path)
    file.session_id = owner or file.session_id
    pieces = [piece for piece in part.pieces if piece.path == state.path]
    if not pieces:
        return
    if part.rewritten and pieces[0].offset == 0 and file.raw_size:
        file.generation += 1  # the older bytes stay, under the generation before
        file.raw_size = 0
    file.raw_size = pieces[-1].offset + pieces[-1].size


def _row(file: RawFile) -> tuple[object, ...]:
    moment = moments()
    values = [getattr(file, column) for column in FILE_COLUMNS]
    for column in ("first_read_at", "last_read_at"):
        index = FILE_COLUMNS.index(column)
        values[index] = moment(values[index])
    return tuple(values)


def _write_pieces(parts: Sequence[FilePart], files: dict[str, RawFile], by: Collector) -> None:
    fresh: list[tuple[RawFile, RawPiece]] = []
    by_file: dict[str, list[RawPiece]] = {}
    for part in parts:
        for piece in part.pieces:
            by_file.setdefault(piece.path, []).append(piece)
    for path, pieces in by_file.items():
        file = files[path]
        if file.first_read_at != by.now:
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
    held = set(RawPart.objects.filter(chunk__in=chunks).values_list("chunk", flat=True))
    RawChunk.objects.filter(pk__in=chunks - held).delete()


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


def _sizes(files: dict[str, RawFile], entries: Sequence[Entry]) -> dict[int, int]:
    sizes: dict[int, int] = {}
    fresh = {entry.session.pk for entry in entries if entry.is_new}
    for file in files.values():
        if file.session_id in fresh:
            sizes[file.session_id] = sizes.get(file.session_id, 0) + file.raw_size
    old = {entry.session.pk for entry in entries} - fresh
    rows = RawFile.objects.filter(session__in=old).values("session").annotate(size=Sum("raw_size"))
    sizes.update({row["session"]: row["size"] for row in rows} if old else {})
    return sizes
