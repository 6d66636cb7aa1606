"""The raw record: files as they were, in compressed chunks that are stored once."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Sum

from sessions_app.actions.bulk import allocate_ids, in_groups, insert_models, save_models
from sessions_app.actions.prepared import FilePart, FileState
from sessions_app.actions.record.batch import Collector, Entry
from sessions_app.actions.record.chunks import write_pieces
from sessions_app.models import AgentSession, RawFile

STATE = ("main_path", "size", "mtime_ns", "offset", "line", "reader_version", "reader_state",
         "head_size", "head_hash", "tail_hash", "failed")  # fmt: skip
# A file that could not be read: how far it was read before still holds.
FAILED = ("main_path", "size", "mtime_ns", "reader_version", "failed")


def known_files(parts: Sequence[FilePart], by: Collector) -> dict[str, RawFile]:
    """The files of these parts that were read before, by path."""
    found: dict[str, RawFile] = {}
    for paths in in_groups(state.path for part in parts for state in part.files):
        rows = RawFile.objects.filter(collector=by.user, host=by.host, path__in=paths)
        found.update({row.path: row for row in rows})
    return found


def record(
    parts: Sequence[FilePart],
    known: dict[str, RawFile],
    entries: Sequence[Entry],
    by: Collector,
    owners: dict[str, int],
) -> dict[int, int]:
    """Write files, positions and bytes; answers the raw size of each session of the group.

    `owners` learns which session each path belongs to.
    """
    owners.update(
        {entry.path: entry.session.pk for entry in entries
         if not entry.part.record.only_if_known}
    )  # fmt: skip
    files = dict(known)
    for part in parts:
        for state in part.files:
            if state.path not in files:
                files[state.path] = RawFile(
                    collector_id=by.user.pk, host=by.host, path=state.path,
                    source=part.source, first_read_at=by.now,
                )  # fmt: skip
            _apply(files[state.path], state, part, by, owners)
    fresh = [file for path, file in files.items() if path not in known]
    for file, pk in zip(fresh, allocate_ids(RawFile, len(fresh)), strict=True):
        file.pk = pk
    insert_models(fresh)
    save_models(list(known.values()), [*STATE, "session", "generation", "raw_size", "last_read_at"])
    write_pieces(parts, files, known)
    return _sizes(files, entries)


def _apply(
    file: RawFile, state: FileState, part: FilePart, by: Collector, owners: dict[str, int]
) -> None:
    for field in FAILED if state.failed else STATE:
        setattr(file, field, getattr(state, field))
    file.last_read_at = by.now
    owner = owners.get(state.path) or owners.get(state.main_path)
    file.session_id = owner or file.session_id
    pieces = [piece for piece in part.pieces if piece.path == state.path]
    if not pieces:
        return
    if part.rewritten and pieces[0].offset == 0 and file.raw_size:
        file.generation += 1  # the older bytes stay, under the generation before
    file.raw_size = pieces[-1].offset + pieces[-1].size


def _sizes(files: dict[str, RawFile], entries: Sequence[Entry]) -> dict[int, int]:
    """Raw size of the sessions that the files belong to; those without an entry are written."""
    sizes: dict[int, int] = {}
    fresh = {entry.session.pk for entry in entries if entry.is_new}
    for file in files.values():
        if file.session_id in fresh:
            sizes[file.session_id] = sizes.get(file.session_id, 0) + file.raw_size
    here = {entry.session.pk for entry in entries}
    old = ({file.session_id for file in files.values() if file.session_id} | here) - fresh
    for sessions in in_groups(old):
        rows = RawFile.objects.filter(session__in=sessions).values_list("session")
        sizes.update(dict(rows.annotate(size=Sum("raw_size"))))
    for session in old - here:  # only a newline, or nothing that tells of the session
        AgentSession.objects.filter(pk=session).update(size_bytes=sizes.get(session, 0))
    return sizes
