"""The raw record as files again: a scratch folder in which readers find what they once read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from sessions_app import packing
from sessions_app.actions.prepared import FilePart, FileState
from sessions_app.agents import AGENTS
from sessions_app.agents.opencode.rebuilt import rebuild_database
from sessions_app.ingest.discover import stat_of
from sessions_app.ingest.reading import Unit, agent_named, read_unit
from sessions_app.models import RawFile

ROWS = "#"
STATE = ("path", "main_path", "size", "mtime_ns", "offset", "line", "reader_version",
         "reader_state", "head_size", "head_hash", "tail_hash", "failed")  # fmt: skip


class KeptFiles:
    """The files of a few sessions below a scratch folder, under their own whole paths."""

    def __init__(self, scratch: Path, files: Sequence[RawFile]) -> None:
        self.scratch = scratch
        self.files = {file.path: file for file in files}
        self.units: list[tuple[Unit, RawFile]] = []
        names = {agent.name for agent in AGENTS}
        mains = [file for file in files if not file.main_path and file.source in names]
        for file in sorted(mains, key=lambda file: (file.mtime_ns, file.path)):
            beside = [one for one in files if one.main_path == file.path]
            if unit := self._unit(file, beside):
                self.units.append((unit, file))

    def _unit(self, main: RawFile, beside: Sequence[RawFile]) -> Unit | None:
        """What is read at once, written down; None when no bytes of it are kept."""
        rows = [file for file in beside if file.path.startswith(f"{main.path}{ROWS}")]
        if rows:
            place = self._place(main.path)
            rebuild_database(place, (b"".join(content(file)) for file in rows))
            return Unit(main.source, str(self.scratch), stat_of(place), [], replace=True)
        if main.raw_size == 0:
            return None
        companions = [self._write(file) for file in beside if file.is_kept]
        stats = [stat_of(path) for path in companions]
        return Unit(main.source, str(self.scratch), stat_of(self._write(main)), stats, replace=True)

    def _place(self, path: str) -> Path:
        """Raises ValueError for a path that would lead out of the scratch folder."""
        names = path.lstrip("/").split("/")
        if not path.startswith("/") or not {"", ".", ".."}.isdisjoint(names):
            raise ValueError(f"not a whole path: {path}")
        place = self.scratch.joinpath(*names)
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def _write(self, file: RawFile) -> Path:
        place = self._place(file.path)
        with place.open("wb") as out:
            for block in content(file):
                out.write(block)
        os.utime(place, ns=(max(file.mtime_ns, 0), max(file.mtime_ns, 0)))
        return place

    @property
    def size(self) -> int:
        """Bytes that are read."""
        return sum(file.raw_size for file in self.files.values())

    @property
    def is_same_reader(self) -> bool:
        """Whether what is stored was read by the readers that there are now."""
        return all(
            file.reader_version == agent_named(file.source).version for _, file in self.units
        )

    def parts(self) -> Iterator[FilePart]:
        """What the readers tell, in words of the real files; their bytes and positions stay.

        Times are clamped to when a file was read, as they were then.
        """
        for unit, file in self.units:
            for part in read_unit(unit, file.last_read_at):
                yield self._told(part)

    def _told(self, part: FilePart) -> FilePart:
        start = str(self.scratch)
        states = [
            _state(file)
            for state in part.files
            if (file := self.files.get(state.path.removeprefix(start)))
        ]
        for problem in (one for item in part.sessions for one in item.record.problems):
            problem.path = problem.path.removeprefix(start)
        return FilePart(
            part.source, states, [], part.sessions, part.size,
            is_last=part.is_last, failure=part.failure,
        )  # fmt: skip


def content(file: RawFile) -> Iterator[bytes]:
    """The bytes of a file as it was read last."""
    yield from map(packing.unpack, file.packed())


def _state(file: RawFile) -> FileState:
    values = {name: getattr(file, name) for name in STATE}
    return FileState(**{**values, "reader_state": bytes(file.reader_state)})
