"""The agents' own files in one archive."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import IO

from sessions_app.exports.native import NativeFile

IN_MEMORY = 8 * 1024 * 1024
FIRST_YEAR = 1980  # before it the format knows no time


def zipped(files: Sequence[NativeFile]) -> IO[bytes]:
    """A ZIP at its start; a large one is a temporary file that goes when it is closed.

    A file whose stored bytes are lost is left out.
    """
    out = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 (the caller closes it)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for item in files:
            try:
                _add(archive, item)
            except FileNotFoundError:
                continue
    out.seek(0)
    return out


def _add(archive: zipfile.ZipFile, item: NativeFile) -> None:
    content = item.content()
    first = next(content, b"")
    moment = datetime.fromtimestamp(item.file.mtime_ns / 1e9, UTC)
    stamp = (max(moment.year, FIRST_YEAR), *moment.timetuple()[1:6])
    entry = zipfile.ZipInfo(item.name, stamp)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    with archive.open(entry, "w", force_zip64=True) as place:
        place.write(first)
        for block in content:
            place.write(block)
