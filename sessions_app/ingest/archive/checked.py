"""A zip from outside, looked at from all sides before anything is read from it."""

from __future__ import annotations

import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from django.utils.translation import gettext_lazy as _

from sessions_app import border
from sessions_app.actions.refusals import BadValue, TooLarge

MOST_ENTRIES = 50_000
MOST_DIRECTORY = 8 * 1024 * 1024  # bytes of the list of entries, which zipfile reads at once
MOST_INFLATED = 8 * 1024 * 1024 * 1024
# Beyond this much, what was packed so well is no session but a bomb.
SUSPICIOUS, MOST_RATIO = 64 * 1024 * 1024, 200
BLOCK = 1024 * 1024
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1
END, END_SIZE = b"PK\x05\x06", 22
END_64, LOCATOR_64 = b"PK\x06\x06", b"PK\x06\x07"
LOCAL, LOCAL_SIZE = b"PK\x03\x04", 30


class BadArchive(BadValue):
    """It cannot be taken in; nothing of it was."""

    code = "bad_archive"


class Archive:
    """The entries of a zip that passed every check, by name."""

    def __init__(self, file: BinaryIO) -> None:
        _check_directory(file)
        try:
            self.zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, EOFError, OSError, struct.error) as error:
            raise BadArchive(_("This is no zip that can be read."), reason=str(error)) from error
        infos = self.zip.infolist()
        _check_sizes(infos)
        for info in infos:
            _check_entry(info)
        self.entries = {info.filename: info for info in infos if not info.is_dir()}
        twins = {unicodedata.normalize("NFC", info.filename) for info in infos}
        if len(twins) < len(infos):
            raise BadArchive(_("Two entries have the same name."))
        _check_overlap(file, infos, self.zip.start_dir)

    def blocks(self, name: str) -> Iterator[bytes]:
        """The bytes of an entry, checked against its checksum at the end."""
        try:
            with self.zip.open(self.entries[name]) as entry:
                while block := entry.read(BLOCK):
                    yield block
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise BadArchive(
                _("An entry is damaged."), entry=name[:200], reason=str(error)[:200]
            ) from error

    def content(self, name: str, limit: int) -> bytes:
        """All bytes of a small entry."""
        if self.entries[name].file_size > limit:
            raise TooLarge(_("An entry is too large."), entry=name[:200], limit=limit)
        return b"".join(self.blocks(name))


def _check_directory(file: BinaryIO) -> None:
    """How long the list of entries is, before it is read: each takes ten times that in memory."""
    size = file.seek(0, 2)
    start = max(size - END_SIZE - 0xFFFF - 20, 0)
    file.seek(start)
    tail = file.read()
    file.seek(0)
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < END_SIZE:
        raise BadArchive(_("This is no zip that can be read."), reason="it has no end")
    count, length = struct.unpack_from("<HL", tail, at + 10)
    if tail[max(at - 20, 0) : at].startswith(LOCATOR_64):
        (place,) = struct.unpack_from("<Q", tail, at - 20 + 8)
        file.seek(min(place, size))
        record = file.read(56)
        file.seek(0)
        if not record.startswith(END_64) or len(record) < 56:
            raise BadArchive(_("This is no zip that can be read."), reason="its end is damaged")
        count, length = struct.unpack_from("<QQ", record, 32)
    if length > MOST_DIRECTORY or count > MOST_ENTRIES:
        raise TooLarge(_("The archive has too many entries."), limit=MOST_ENTRIES)


def _check_sizes(infos: Sequence[zipfile.ZipInfo]) -> None:
    """By what the entries say of themselves; more than that is never read of one."""
    if len(infos) > MOST_ENTRIES:
        raise TooLarge(_("The archive has too many entries."), limit=MOST_ENTRIES)
    inflated = sum(info.file_size for info in infos)
    packed = sum(info.compress_size for info in infos)
    is_bomb = inflated > SUSPICIOUS and inflated > packed * MOST_RATIO
    if inflated > MOST_INFLATED or is_bomb:
        raise TooLarge(_("The archive is too large once unpacked."), inflated=inflated)


def _check_entry(info: zipfile.ZipInfo) -> None:
    reason = _wrong_with(info)
    if reason:
        raise BadArchive(
            _("An entry of the archive is not what it must be."),
            entry=ascii(info.orig_filename[:200]), reason=reason,
        )  # fmt: skip


def _wrong_with(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16
    if info.filename != info.orig_filename or not border.is_tame(info.filename.rstrip("/")):
        return "its name leads out of the archive"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "it is a link or a device"
    if info.flag_bits & ENCRYPTED:
        return "it is encrypted"
    if info.compress_type not in METHODS:
        return "it is packed in another way than deflate"
    if info.is_dir() and info.file_size:
        return "it is a folder with content"
    return ""


def _check_overlap(file: BinaryIO, infos: Sequence[zipfile.ZipInfo], end: int) -> None:
    """No two entries share bytes: a small file could unfold to any size that way."""
    places = []
    for info in infos:
        file.seek(max(info.header_offset, 0))
        header = file.read(LOCAL_SIZE)
        if info.header_offset < 0 or len(header) < LOCAL_SIZE or not header.startswith(LOCAL):
            raise BadArchive(_("This is no zip that can be read."), reason="an entry is missing")
        name, extra = struct.unpack_from("<HH", header, 26)
        start = info.header_offset
        places.append((start, start + LOCAL_SIZE + name + extra + info.compress_size))
    places.sort()
    ends = [place[1] for place in places]
    starts = [*(place[0] for place in places[1:]), end][: len(ends)]
    if any(last > first for last, first in zip(ends, starts, strict=True)):
        raise BadArchive(_("Entries of the archive overlap."))
