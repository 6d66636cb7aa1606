"""A session folder that somebody else packed: read by the reader of session folders."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sessions_app.actions.prepare import prepare
from sessions_app.actions.prepared import FilePart
from sessions_app.actions.record import Collector, store
from sessions_app.agents.base import SourceFile
from sessions_app.agents.sessions_dir import SessionsDir
from sessions_app.ingest.archive.ours import StoredSession
from sessions_app.ingest.archive.staged import (
    MESSAGES,
    METADATA,
    StagedArchive,
    StagedSession,
    scratch_folder,
    snapshot_names,
)

INSIDE = "session"  # the folder's name for a moment: the archive's own is no path of ours


def foreign_parts(
    archive: StagedArchive, staged: StagedSession, by: Collector, identity: str
) -> StoredSession:
    """Unpack what the reader needs under names of our own, read it, store it."""
    stored = StoredSession(0)
    with tempfile.TemporaryDirectory(dir=scratch_folder()) as scratch:
        folder = Path(scratch) / INSIDE
        source = _unpacked(archive, staged, folder)
        for record in SessionsDir().read(source, None):
            record.identity = record.backend_session_id = identity
            for problem in [*staged.problems, *record.problems]:
                problem.path = problem.path.replace(
                    f"{folder}/", f"{archive.label}:{staged.folder}"
                )
            record.problems += staged.problems
            staged.problems = []
            part = prepare(record, now=by.now)
            done = store([FilePart("import", [], [], [part])], by)
            stored.session = next(iter(done.created), stored.session)
            stored.problems += done.problems
    return stored


def _unpacked(archive: StagedArchive, staged: StagedSession, folder: Path) -> SourceFile:
    names = {METADATA: METADATA, MESSAGES: MESSAGES}
    names |= {name: name for name in snapshot_names(staged) if name.count("/") == 1}
    (folder / "snapshots").mkdir(parents=True)
    written = []
    for name in names:
        if name not in staged.digests:
            continue
        target = folder / name
        with target.open("wb") as out:
            for block in archive.archive.blocks(staged.folder + name):
                out.write(block)
        written.append(target)
    main = folder / (MESSAGES if MESSAGES in staged.digests else METADATA)
    rest = tuple(path for path in written if path != main)
    return SourceFile(main, root=folder, companions=rest)
