"""An archive before the transaction: every entry read once, its files stored, its facts known."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from sessions_app.actions.record.saved import MAX_ARTIFACT
from sessions_app.actions.snapshots import MAX_STATE
from sessions_app.actions.storage import put_blocks
from sessions_app.ingest.archive.checked import Archive, BadArchive
from sessions_app.ingest.archive.lines import Facts, decode
from sessions_app.records import Problem

MANIFEST, METADATA, MESSAGES = "manifest.json", "metadata.json", "messages.jsonl"
SNAPSHOTS, ARTIFACTS = "snapshots/", "artifacts/"
FORMAT, VERSION = "agent-sessions", 1
MOST_FACTS = 64 * 1024 * 1024
MOST_MANIFEST = 32 * 1024 * 1024
ROOM = 1024  # bytes around a state


class FileFacts(msgspec.Struct):
    sha256: str


class Manifest(msgspec.Struct):
    """What one of our archives says of its entries."""

    format: str
    version: int
    files: dict[str, FileFacts] = {}


@dataclass(slots=True)
class StagedSession:
    """One folder of the archive: a session."""

    folder: str
    is_ours: bool
    facts: Facts = field(default_factory=Facts)
    digests: dict[str, str] = field(default_factory=dict)  # name below the folder -> SHA-256
    artifacts: dict[str, tuple[str, int]] = field(default_factory=dict)  # name -> SHA-256, size
    problems: list[Problem] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """One hash over what was said and saved, as exports compute it."""
        told = "".join(
            f"{name}\0{sha256}\n"
            for name, sha256 in sorted(self.digests.items())
            if name != METADATA
        )
        return hashlib.sha256(told.encode()).hexdigest()


@dataclass(slots=True)
class StagedArchive:
    """An open archive, its sessions, and the entries that belong to none."""

    archive: Archive
    label: str
    sessions: list[StagedSession]
    ignored: list[str]


def scratch_folder() -> Path:
    """Where uploads and unpacked files lie for a moment; never in memory as a whole."""
    folder = Path(settings.SESSIONS_DATA_DIR) / "tmp"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def scratch_file() -> BinaryIO:
    """A file without a name, gone with its handle, also when the process is killed."""
    return tempfile.TemporaryFile(dir=scratch_folder())


def stage_archive(file: BinaryIO, label: str) -> StagedArchive:
    """Check and read everything once. Raises BadArchive or TooLarge; then only orphans are left."""
    archive = Archive(file)
    manifest = _manifest(archive)
    folders = _folders(archive)
    if not folders:
        raise BadArchive(_("There is no session in this archive."))
    sessions, ignored = [], []
    for folder in folders:
        sessions.append(_stage(archive, folder, manifest is not None, label))
    seen = set()
    for session in sessions:
        seen |= {session.folder + name for name in session.digests}
    ignored = sorted(archive.entries.keys() - seen - {MANIFEST})
    if manifest is not None:
        _compare(manifest, sessions)
    return StagedArchive(archive, label, sessions, ignored)


def _manifest(archive: Archive) -> Manifest | None:
    if MANIFEST not in archive.entries:
        return None
    try:
        told: Manifest = decode(archive.content(MANIFEST, MOST_MANIFEST), Manifest)
    except (ValueError, RecursionError):
        return None  # somebody else's
    if told.format != FORMAT:
        return None
    if told.version > VERSION:
        raise BadArchive(_("This archive was made by a later version."), version=told.version)
    return told


def _compare(manifest: Manifest, sessions: list[StagedSession]) -> None:
    have = {
        session.folder + name: sha256
        for session in sessions
        for name, sha256 in session.digests.items()
    }
    for name, told in manifest.files.items():
        if have.get(name) != told.sha256:
            raise BadArchive(
                _("An entry is not the one that the manifest names."), entry=name[:200]
            )


def _folders(archive: Archive) -> list[str]:
    """Those with facts or messages in them, "" for the archive itself; none inside another."""
    found = set()
    for name in archive.entries:
        folder, _slash, last = name.rpartition("/")
        if last in (METADATA, MESSAGES):
            found.add(f"{folder}/" if folder else "")
    return sorted(
        folder
        for folder in found
        if not any(folder != other and folder.startswith(other) for other in found)
    )


def _stage(archive: Archive, folder: str, is_ours: bool, label: str) -> StagedSession:
    staged = StagedSession(folder, is_ours)
    for name in sorted(archive.entries):
        if name.startswith(folder) and name != MANIFEST:
            _stage_entry(archive, staged, name, name[len(folder) :])
    if staged.is_ours:
        _read_facts(archive, staged, label)
    return staged


def _stage_entry(archive: Archive, staged: StagedSession, full: str, name: str) -> None:
    if name.startswith(ARTIFACTS):
        try:
            sha256, size = put_blocks(archive.blocks(full), MAX_ARTIFACT)
        except ValueError as error:
            raise BadArchive(
                _("An entry of the archive is not what it must be."),
                entry=full[:200], reason=str(error),
            ) from error  # fmt: skip
        staged.artifacts[name[len(ARTIFACTS) :]] = sha256, size
        staged.digests[name] = sha256
    elif name in (METADATA, MESSAGES) or name.startswith((SNAPSHOTS, "images/")):
        total = hashlib.sha256()
        for block in archive.blocks(full):
            total.update(block)
        staged.digests[name] = total.hexdigest()


def _read_facts(archive: Archive, staged: StagedSession, label: str) -> None:
    """Facts that cannot be read are rebuilt from the messages, as those of a folder are."""
    name = staged.folder + METADATA
    try:
        staged.facts = decode(archive.content(name, MOST_FACTS), Facts)
    except (ValueError, RecursionError, KeyError) as error:
        staged.is_ours = False
        reason = f"facts could not be read: {error}"
        staged.problems.append(Problem(f"{label}:{name}", reason[:300]))


def snapshot_names(staged: StagedSession) -> Iterator[str]:
    """The entries that hold states."""
    yield from (name for name in sorted(staged.digests) if name.startswith(SNAPSHOTS))


class StateFile(msgspec.Struct):
    """A snapshot as the folder layout writes it; the state stays as it is written."""

    step: int
    state: msgspec.Raw
    timestamp: str | None = None


def read_state_file(archive: Archive, name: str) -> StateFile:
    """Raises ValueError for a torn one."""
    data: Any = archive.content(name, MAX_STATE + ROOM)
    return msgspec.json.decode(data, type=StateFile)
