"""A session folder that somebody else packed: read by the reader of session folders."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sessions_app import border
from sessions_app.actions.prepare import prepare
from sessions_app.actions.prepare_facts import USAGE_KEY
from sessions_app.actions.prepared import FilePart
from sessions_app.actions.record import Collector, store
from sessions_app.agents.base import SourceFile
from sessions_app.agents.sessions_dir import SessionsDir
from sessions_app.ingest.archive.lines import session_record, usage_record
from sessions_app.ingest.archive.ours import StoredSession, leave_known, usage_key
from sessions_app.ingest.archive.staged import (
    MESSAGES,
    METADATA,
    StagedArchive,
    StagedSession,
    scratch_folder,
    snapshot_names,
)
from sessions_app.records import SessionRecord, UsageRecord

INSIDE = "session"  # the folder's name for a moment: the archive's own is no path of ours


def foreign_parts(
    archive: StagedArchive, staged: StagedSession, by: Collector, identity: str
) -> StoredSession:
    """Unpack what the reader needs under names of our own, read it, store it."""
    stored = StoredSession(0)
    with tempfile.TemporaryDirectory(dir=scratch_folder()) as scratch:
        folder = Path(scratch) / INSIDE
        source, shown = _unpacked(archive, staged, folder), f"{archive.label}:{staged.folder}"
        for record in SessionsDir().read(source, None):
            record.identity = record.backend_session_id = identity
            for problem in record.problems:
                problem.path = problem.path.replace(f"{folder}/", shown)
            if staged.is_ours:
                record = _with_our_facts(record, staged)
            record.problems += staged.problems
            staged.problems = []
            keys = [_usage_key(usage, staged, by) for usage in record.usages]
            part = prepare(record, now=by.now)
            for usage, key in zip(part.record.usages, keys, strict=True):
                usage.key = key
            leave_known(part.record.usages)
            done = store([FilePart("import", [], [], [part])], by)
            stored.session = next(iter(done.created), stored.session)
            stored.problems += done.problems
    return stored


def _with_our_facts(record: SessionRecord, staged: StagedSession) -> SessionRecord:
    """Messages as the folder tells them, everything else as our export does."""
    told = session_record(staged.facts)
    told.identity = record.identity
    told.messages, told.problems = record.messages, record.problems
    told.usages = [usage_record(line) for line in staged.facts.usage]
    return told


def _usage_key(usage: UsageRecord, staged: StagedSession, by: Collector) -> str:
    """A folder's sum is that of the session that the folder is called after."""
    if staged.is_ours:
        return usage_key(usage.key, by)
    return border.clean_name(f"kimi:sessions-dir:{folder_name(staged)}", USAGE_KEY)


def folder_name(staged: StagedSession) -> str:
    """What the session of a folder layout is called."""
    return staged.folder.rstrip("/").rpartition("/")[2] or f"import-{staged.digest[:12]}"


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
