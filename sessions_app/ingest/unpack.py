"""Archives that somebody sent, laid out on disk: within limits, and nowhere else."""

from __future__ import annotations

import gzip
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from zipfile import BadZipFile, LargeZipFile, ZipFile, ZipInfo

from sessions_app.records import Problem

MOST_ENTRIES = 10_000
MOST_DIRECTORY = 4 * 1024 * 1024  # bytes of a zip's list of contents, which is read at once
PIECE = 256 * 1024
END_OF_DIRECTORY = struct.Struct("<4s4H2LH")
LOCAL_HEADER = 30
# Files beside sessions that nobody should have sent: they are not even written down.
SECRETS = frozenset(
    ("auth.json", ".credentials.json", "credentials.json", "oauth_creds.json", ".env",
     "google_accounts.json", ".netrc", ".git-credentials", "id_rsa", "id_ed25519")
)  # fmt: skip
BROKEN = (
    BadZipFile, LargeZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError,
)  # fmt: skip


class Refused(Exception):
    """Nothing of it was taken; the message says why, for a person."""


class TooMuch(Refused):
    """It is larger than what may be sent."""


class Room:
    """How many bytes may still be unpacked."""

    def __init__(self, size: int) -> None:
        self.size = self.left = size

    def take(self, count: int) -> None:
        """Raises TooMuch when there is no more."""
        self.left -= count
        if self.left < 0:
            raise TooMuch(f"unpacked it is more than {self.size // 1_000_000} MB")


def unpack_zip(file: IO[bytes], folder: Path, room: Room) -> list[Problem]:
    """Lay the plain files of a zip out below `folder`; answers what was left out, and why."""
    _check_directory(file)
    try:
        with ZipFile(file) as archive:
            entries = archive.infolist()
            _check_entries(archive, entries, room)
            return list(_unpack(archive, entries, folder, room))
    except (BadZipFile, LargeZipFile, UnicodeDecodeError, struct.error) as error:
        raise Refused(f"not a whole zip file: {error}") from error


def _check_directory(file: IO[bytes]) -> None:
    """Before anything is read into memory: how long is the list of contents?"""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(end - END_OF_DIRECTORY.size - 65_536, 0))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < END_OF_DIRECTORY.size:
        raise Refused("not a whole zip file: its end is missing")
    _, _, _, _, count, size, _, _ = END_OF_DIRECTORY.unpack_from(tail, at)
    if count > MOST_ENTRIES or size > MOST_DIRECTORY:
        raise TooMuch(f"more than {MOST_ENTRIES} files in one archive")


def _check_entries(archive: ZipFile, entries: list[ZipInfo], room: Room) -> None:
    if len(entries) > MOST_ENTRIES:
        raise TooMuch(f"more than {MOST_ENTRIES} files in one archive")
    if sum(entry.file_size for entry in entries) > room.left:
        room.take(room.left + 1)
    ends_at = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < ends_at:
            raise Refused("its entries overlap: the same bytes are told several times")
        name = len(entry.orig_filename.encode("utf-8", "replace")) if entry.flag_bits & 0x800 else 0
        ends_at = entry.header_offset + LOCAL_HEADER + name + entry.compress_size
    if ends_at > archive.start_dir:
        raise Refused("its entries overlap its list of contents")


def _unpack(
    archive: ZipFile, entries: list[ZipInfo], folder: Path, room: Room
) -> Iterator[Problem]:
    for entry in entries:
        if entry.is_dir() or entry.filename.startswith("__MACOSX/"):
            continue
        reason = _complaint(entry)
        target = folder / entry.filename if not reason else folder
        if not reason and os.path.lexists(target):
            reason = "stands in it twice"
        if not reason:
            reason = _write(archive, entry, target, room)
        if reason:
            yield Problem(entry.filename[:500], reason)


def _complaint(entry: ZipInfo) -> str:
    """Why this entry is no file that may be laid out here."""
    name, mode = entry.orig_filename, entry.external_attr >> 16
    parts = name.split("/")
    if stat.S_ISLNK(mode):
        return "a symbolic link: refused"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "not a plain file: refused"
    if name.startswith("/") or "\\" in name or ":" in parts[0] or {"", ".", ".."} & set(parts):
        return "it would be laid out elsewhere: refused"
    if any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in name):
        return "characters in its name that no file name should have"
    if max(len(os.fsencode(part)) for part in parts) > 255 or len(os.fsencode(name)) > 700:
        return "its name is too long"
    return "may hold credentials: not taken" if parts[-1].lower() in SECRETS else ""


def _write(archive: ZipFile, entry: ZipInfo, target: Path, room: Room) -> str:
    """Unpack one file; why it could not be, or nothing."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as source, target.open("xb") as out:
            copy(source, out, room)
        # As it was there, so that the same file sent again is the same.
        at = datetime(*entry.date_time, tzinfo=UTC).timestamp()
        os.utime(target, (at, at))
    except ValueError:  # a month 0: the time is not known
        return ""
    except BROKEN as error:
        target.unlink(missing_ok=True)
        return f"cannot be unpacked: {error}"
    return ""


def unpack_gzip(file: IO[bytes], target: Path, room: Room) -> None:
    """A single compressed file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with gzip.GzipFile(fileobj=file) as source, target.open("xb") as out:
            copy(source, out, room)
    except (zlib.error, EOFError, OSError) as error:
        raise Refused(f"not a whole gzip file: {error}") from error


def copy(source: IO[bytes] | gzip.GzipFile, out: IO[bytes], room: Room) -> None:
    """By pieces, so that neither memory nor disk holds more than there is room for."""
    while piece := source.read(PIECE):
        room.take(len(piece))
        out.write(piece)
