"""Snapshots, artifacts and images: files go to the storage before the transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from sessions_app import packing
from sessions_app.actions.prepared import FilePart
from sessions_app.actions.record.batch import Collector, Entry
from sessions_app.actions.storage import put_bytes, put_file
from sessions_app.actions.stored_files import name_stored
from sessions_app.models import Artifact, Snapshot
from sessions_app.records import Problem, SnapshotRecord

MAX_ARTIFACT = 512 * 1024 * 1024


@dataclass(slots=True)
class Staged:
    """Stored files of this recording: image bytes and artifact sources -> SHA-256."""

    images: dict[bytes, str] = field(default_factory=dict)
    artifacts: dict[str, tuple[str, int]] = field(default_factory=dict)

    def image(self, data: bytes) -> str:
        """The SHA-256 under which these bytes are stored."""
        return self.images[data]


def stage(parts: Sequence[FilePart]) -> Staged:
    """Store every image and artifact; one that cannot be read becomes a problem."""
    staged = Staged()
    for item in (item for part in parts for item in part.sessions):
        images = [image for message in item.messages for image in message.images]
        images += [image for result in item.results for image in result.images]
        for image in images:
            if image.data not in staged.images:
                staged.images[image.data] = put_bytes(image.data)
        for artifact in item.record.artifacts:
            try:
                staged.artifacts[artifact.source] = put_file(Path(artifact.source), MAX_ARTIFACT)
            except (OSError, ValueError) as error:
                item.record.problems.append(Problem(artifact.source, str(error)[:300]))
    return staged


def record_files(staged: Staged, by: Collector) -> None:
    """Write the rows of the stored files, to which those of images and artifacts refer."""
    sizes = dict(staged.artifacts.values())
    sizes.update({sha: len(data) for data, sha in staged.images.items()})
    if sizes:
        name_stored(sizes, by.now)


def record(entries: Sequence[Entry], by: Collector, staged: Staged) -> None:
    """Write the rows of snapshots and artifacts."""
    for entry in entries:
        snapshots = [_snapshot(entry, item, by) for item in entry.part.record.snapshots]
        Snapshot.objects.bulk_create(
            [snapshot for snapshot in snapshots if not snapshot.problem],
            update_conflicts=True,
            unique_fields=["session", "step"],
            update_fields=["at", "packed", "sha256", "size", "problem"],
        )
        # A file that is torn now takes nothing from the state that it held before.
        Snapshot.objects.bulk_create(
            [snapshot for snapshot in snapshots if snapshot.problem], ignore_conflicts=True
        )
        Artifact.objects.bulk_create(
            [
                Artifact(
                    session=entry.session,
                    path=item.path,
                    sha256=staged.artifacts[item.source][0],
                    size=staged.artifacts[item.source][1],
                    received_at=by.now,
                )
                for item in entry.part.record.artifacts
                if item.source in staged.artifacts
            ],
            update_conflicts=True,
            unique_fields=["session", "path"],
            update_fields=["sha256", "size"],
        )


def _snapshot(entry: Entry, item: SnapshotRecord, by: Collector) -> Snapshot:
    data = b"" if item.problem else msgspec.json.encode(item.state)
    return Snapshot(
        session=entry.session,
        step=item.step,
        at=item.at,
        received_at=by.now,
        packed=packing.pack(data) if data else None,
        sha256=hashlib.sha256(data).hexdigest() if data else "",
        size=len(data),
        problem=item.problem,
    )
