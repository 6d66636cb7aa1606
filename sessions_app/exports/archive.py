"""Sessions as one zip, made while it is sent: never as a whole in memory or on the disk."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

import msgspec
import zstandard
from django.db.models import Q

from sessions_app import packing
from sessions_app.actions.storage import BLOCK, open_stored
from sessions_app.exports.archive_lines import artifact_entry, facts, lines
from sessions_app.exports.archive_original import Originals, content
from sessions_app.exports.session_json import moment_json
from sessions_app.models import AgentSession, Attachment, Snapshot

FORMAT, VERSION = "agent-sessions", 1
MANIFEST, METADATA, MESSAGES = "manifest.json", "metadata.json", "messages.jsonl"
SNAPSHOTS, ARTIFACTS, IMAGES = "snapshots/", "artifacts/", "images/"
LEVEL = 6
OLDEST = (1980, 1, 1, 0, 0, 0)  # zip tells no earlier time; the same content is the same bytes

Entry = tuple[str, Iterable[bytes]]


class _Pipe:
    """What zipfile writes to; what it wrote is taken away at once."""

    def __init__(self) -> None:
        self.waiting = bytearray()
        self.offset = 0

    def write(self, data: Any) -> int:
        self.waiting += data
        self.offset += len(data)
        return len(data)

    def tell(self) -> int:
        return self.offset

    def flush(self) -> None:
        return None

    def close(self) -> None:
        return None

    def take(self) -> bytes:
        data = bytes(self.waiting)
        self.waiting.clear()
        return data


def archive(sessions: Iterable[AgentSession]) -> Iterator[bytes]:
    """The zip, block by block: a folder for each session, and the manifest with every hash."""
    pipe = _Pipe()
    files: dict[str, dict[str, Any]] = {}
    told: list[dict[str, str]] = []
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as zip_file:
        for session in sessions:
            folder = f"{session.short_id}/"
            for name, blocks in entries(session):
                yield from _write(zip_file, pipe, folder + name, blocks, files)
            told.append({"folder": session.short_id, "id": session.short_id})
        manifest = {"format": FORMAT, "version": VERSION, "sessions": told, "files": files}
        yield from _write(zip_file, pipe, MANIFEST, [_pretty(manifest)], {})
    yield pipe.take()


def _write(
    zip_file: zipfile.ZipFile,
    pipe: _Pipe,
    name: str,
    blocks: Iterable[bytes],
    files: dict[str, dict[str, Any]],
) -> Iterator[bytes]:
    info = zipfile.ZipInfo(name, OLDEST)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o100600 << 16
    size, total = 0, hashlib.sha256()
    with zip_file.open(info, "w", force_zip64=True) as out:
        for block in blocks:
            size += len(block)
            total.update(block)
            out.write(block)
            if len(pipe.waiting) >= BLOCK:
                yield pipe.take()
    files[name] = {"sha256": total.hexdigest(), "size": size}
    yield pipe.take()


def entries(session: AgentSession) -> Iterator[Entry]:
    """Everything of one session: names below its folder, and their bytes."""
    upto, originals = session.last_seq, Originals(session)
    messages = originals.messages()
    yield METADATA, [_pretty({**facts(session), "original": messages is not None})]
    yield MESSAGES, content(messages) if messages else lines(session, upto)
    for snapshot in session.snapshots.order_by("step").iterator(chunk_size=1):
        state = originals.state(snapshot) or _state(snapshot)
        if state is not None:
            yield f"{SNAPSHOTS}step_{snapshot.step}.json", [state]
    for path, sha256 in session.artifacts.order_by("path").values_list("path", "sha256"):
        yield from _stored(ARTIFACTS + artifact_entry(path), sha256)
    images = Attachment.objects.filter(Q(message__session=session), message__seq__lte=upto)
    for sha256 in sorted(set(images.values_list("sha256", flat=True))):
        yield from _stored(IMAGES + sha256, sha256)


def content_digest(session: AgentSession) -> str:
    """One hash over what was said and saved: whether an archive tells anything new."""
    digests = {}
    for name, blocks in entries(session):
        if name != METADATA:
            total = hashlib.sha256()
            for block in blocks:
                total.update(block)
            digests[name] = total.hexdigest()
    return digest_of(digests)


def digest_of(files: dict[str, str]) -> str:
    """The same for names below a session's folder and the SHA-256 of each."""
    told = "".join(f"{name}\0{sha256}\n" for name, sha256 in sorted(files.items()))
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def _state(snapshot: Snapshot) -> bytes | None:
    """The file of a snapshot; a torn one has none, metadata.json names it."""
    if snapshot.packed is None:
        return None
    try:
        state = packing.unpack(snapshot.packed)
    except zstandard.ZstdError:
        return None
    told = msgspec.json.encode({"step": snapshot.step, "timestamp": moment_json(snapshot.at)})
    return told[:-1] + b',"state":' + state + b"}"


def _stored(name: str, sha256: str) -> Iterator[Entry]:
    """A stored file; one whose bytes are lost is left out, and the rest goes on."""
    try:
        file = open_stored(sha256)
    except FileNotFoundError:
        return
    with file:
        yield name, _blocks_of(file)


def _blocks_of(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block


def _pretty(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2)


ContentDigest = Callable[[AgentSession], str]
