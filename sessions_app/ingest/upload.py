"""Session files that somebody sends by the browser: unpacked, read, and gone again."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from django.conf import settings

from sessions_app.ingest.report import Report
from sessions_app.ingest.run import Wish, ingest
from sessions_app.ingest.unpack import Refused, Room, copy, unpack_gzip, unpack_zip
from sessions_app.models import User
from sessions_app.records import Problem

HEAD = 65536  # bytes that tell one file from another of the same name
FILES = "files"
PLAIN = re.compile(rb'^(?:\xef\xbb\xbf)?\s*{\s*"(?:role|content|timestamp)"')
UUID = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
SESSION_ID = re.compile(r'"sessionId":\s*"([\w-]{1,80})"', re.ASCII)


class SentFile(Protocol):
    """A file as a form brings it."""

    @property
    def name(self) -> str | None: ...
    @property
    def file(self) -> IO[bytes] | None: ...


@dataclass(slots=True)
class Uploaded:
    """What became of an upload. Paths are those inside of it."""

    report: Report
    problems: list[Problem] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)  # files that no reader recognised


def uploads_folder() -> Path:
    """Where uploads lie while they are read."""
    return Path(settings.SESSIONS_DATA_DIR) / "uploads"


def limit() -> int:
    """Bytes that one upload may hold, unpacked."""
    return int(settings.SESSIONS_UPLOAD_MB) * 1_000_000


def upload(files: Sequence[SentFile], *, by: User) -> Uploaded:
    """Read what is in these files, for whoever sends them. Raises Refused.

    The folder has the same name each time, so that a file that was sent before and has grown is
    read from where its last reading ended.
    """
    with _own_folder(by) as folder:
        room = Room(limit())
        left_out = [problem for file in files for problem in _lay_out(file, folder, room)]
        places = sorted(path for path in folder.iterdir() if path.is_dir())
        inner = [path for place in places for path in sorted(place.iterdir()) if path.is_dir()]
        home = folder / FILES if (folder / FILES).is_dir() else folder
        report = ingest(Wish(
            owner=by, home=home, paths=[*places, *inner], jobs=0,
            host=f"upload-{by.get_username()}", is_upload=True,
        ))  # fmt: skip
        told = [Problem(sent_name(item.path), item.reason, item.line) for item in report.problems]
        return Uploaded(report, [*left_out, *told], _unknown(folder, report))


@contextmanager
def _own_folder(by: User) -> Iterator[Path]:
    """An empty folder for one upload of this person at a time, gone afterwards."""
    folder = uploads_folder() / str(by.pk)
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused("another upload of yours is being read: send it again then") from error
        shutil.rmtree(folder, ignore_errors=True)  # what a killed process left
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)


def _lay_out(sent: SentFile, folder: Path, room: Room) -> list[Problem]:
    """One file of the form: an archive's files, or itself."""
    name, file = _plain_name(sent.name or ""), sent.file
    if file is None:
        raise Refused(f"{name} did not arrive")
    head = file.read(HEAD)
    file.seek(0)
    if not head:
        return [Problem(name, "empty file")]
    if head.startswith(b"PK"):
        return unpack_zip(file, folder / FILES, room)
    place = folder / hashlib.blake2b(head.partition(b"\n")[0], digest_size=8).hexdigest()
    if head.startswith(b"\x1f\x8b"):
        unpack_gzip(file, place / name.removesuffix(".gz"), room)
        return []
    place.mkdir(exist_ok=True)
    target = place / _own_name(name, head)
    if target.exists():
        return [Problem(name, "was sent twice")]
    target.parent.mkdir(exist_ok=True)
    with target.open("xb") as out:
        copy(file, out, room)
    return []


def _own_name(name: str, head: bytes) -> str:
    """Logs are called by their session's id, whatever became of the name on its way here.

    Messages of the plain layout lie in a folder that is called as their session.
    """
    stem, dot, ending = name.rpartition(".")
    first = head.partition(b"\n")[0]
    if ending == "jsonl" and PLAIN.search(first) and b'"content"' in first:
        return f"{stem}/messages.jsonl"
    if ending != "jsonl" or stem.startswith(("agent-", "rollout-", "session-")):
        return name
    found = UUID.search(stem) or SESSION_ID.search(head.decode("utf-8", "replace"))
    return f"{found[1]}{dot}{ending}" if found else name


def _plain_name(name: str) -> str:
    """The end of it, which tells the kind of file."""
    return re.sub(r"[^\w.+@=-]+", "_", os.path.basename(name))[-100:].lstrip(".") or "file"


def sent_name(path: str) -> str:
    """The name inside the upload, of a path that lay in our folder."""
    top = uploads_folder()
    return "/".join(Path(path).relative_to(top).parts[2:]) if is_sent(path) else path


def is_sent(path: str) -> bool:
    """Whether this is the path of something that was sent."""
    return Path(path).is_relative_to(uploads_folder())


def _unknown(folder: Path, report: Report) -> list[str]:
    read = {
        str(path)
        for found in report.found
        for path in (found.source.path, *found.source.companions)
    } | {problem.path for problem in report.problems}
    here = [os.path.join(place, name) for place, _, names in os.walk(folder) for name in names]
    return sorted(sent_name(path) for path in here if path not in read)
