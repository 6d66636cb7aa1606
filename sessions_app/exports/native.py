"""The agents' own files as they were read, byte for byte, under names that stay in one folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from sessions_app import packing
from sessions_app.actions.storage import open_stored
from sessions_app.models import RawFile
from sessions_app.queries.raw_files import Stored, artifact_bytes, raw_files

BLOCK = 1024 * 1024
LONGEST = 200  # bytes of a name; file systems take 255
DRIVE = re.compile(r"[A-Za-z]:[\\/]")
ROWS = "#"  # `opencode.db#<session>`: rows of a database, kept as lines of JSON

# Source -> first folder below a home; exports do not know the agents: the caller brings them.
HomeFolders = Mapping[str, frozenset[str]]


class NativeFile(NamedTuple):
    """One file to write: under which name, and which bytes (`stored`: those of a stored file)."""

    parts: tuple[str, ...]
    file: RawFile
    generation: int
    stored: str = ""

    @property
    def name(self) -> str:
        return "/".join(self.parts)

    def content(self) -> Iterator[bytes]:
        """Its bytes, at most 1 MiB at a time. Raises FileNotFoundError for a lost stored file."""
        if not self.stored:
            yield from map(packing.unpack, self.file.packed(self.generation))
            return
        with open_stored(self.stored) as file:
            while block := file.read(BLOCK):
                yield block


class Native(NamedTuple):
    """What can be written back, and the paths of what cannot: its bytes are not kept."""

    files: list[NativeFile]
    missing: list[str]


class Place(NamedTuple):
    """Whose home a file lies in, and where in it."""

    host: str
    above: tuple[str, ...]
    below: tuple[str, ...]


def native(sessions: Sequence[int], homes: HomeFolders, *, older: bool = False) -> Native:
    """The files of these sessions, laid out as in a home; with `older` also what they replaced.

    From several homes each one gets a folder of its own, by machine and path.
    """
    found = [(file, _place(file, homes)) for file in raw_files(sessions)]
    stored = artifact_bytes(sessions)
    several = len({place[:2] for _, place in found}) > 1
    out = Native([], [])
    for file, (host, above, below) in found:
        parts = (safe_part(host or "unknown"), *above, *below) if several else below
        if _is_rows(file):
            parts = (*parts[:-1], f"{parts[-1]}.jsonl")
        sha256 = stored.get(_artifact(file), "")
        if not file.is_kept and not sha256:
            out.missing.append(file.path)
            continue
        now = NativeFile(parts, file, file.generation, "" if file.raw_size else sha256)
        out.files.extend((now, *(_older(now) if older else ())))
    return out


def _is_rows(file: RawFile) -> bool:
    return bool(file.main_path) and file.path.startswith(f"{file.main_path}{ROWS}")


def _artifact(file: RawFile) -> Stored:
    """Under which key the bytes are stored, if this is an artifact."""
    folder = f"{PurePosixPath(file.main_path).parent}/artifacts/"
    is_one = bool(file.main_path) and file.path.startswith(folder)
    return Stored(file.session_id or 0, file.path[len(folder) :] if is_one else "")


def _older(now: NativeFile) -> Iterator[NativeFile]:
    """The generations before, each beside the newest."""
    for generation in range(1, now.generation):
        parts = (*now.parts[:-1], f"{now.parts[-1]}.generation-{generation}")
        yield NativeFile(parts, now.file, generation)


def _place(file: RawFile, homes: HomeFolders) -> Place:
    """Split at the folder that agents make in a home; what lies elsewhere keeps its whole path."""
    parts = safe_parts(file.path)
    known = homes.get(file.source, frozenset())
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] in known:
            return Place(file.host, parts[:index], parts[index:])
    return Place(file.host, (), parts)


def safe_parts(path: str) -> tuple[str, ...]:
    """A path from outside as names that lead nowhere but down."""
    if DRIVE.match(path):
        path = path.replace("\\", "/")
    names = (name for name in path.split("/") if name not in ("", "."))
    return tuple(map(safe_part, names)) or ("file",)


def safe_part(name: str) -> str:
    """One name without what separates names anywhere, and short enough."""
    name = name.replace("\\", "_").replace("/", "_").replace("\0", "_")
    if name.strip(". ") == "":
        return "_"
    data = name.encode("utf-8", "replace")
    if len(data) <= LONGEST:
        return name
    digest = hashlib.sha256(data).hexdigest()[:12]
    end = PurePosixPath(name).suffix[:20]
    return f"{data[: LONGEST - 40].decode('utf-8', 'ignore')}-{digest}{end}"
