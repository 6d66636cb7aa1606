"""What every agent module offers, and the file that it reads from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from sessions_app.records import Position, SessionFacts, SessionRecord

READ_SIZE = 4 * 1024 * 1024
PART_SIZE = 8 * 1024 * 1024  # a reader hands over what it has after about so many bytes


class UnreadableSession(Exception):
    """A file that cannot be read at all; the message says why, for a person."""


class Line(NamedTuple):
    """One finished line without its newline, where it starts, and its number from 1."""

    data: bytes
    offset: int
    number: int


# Receives (path, offset, bytes) of everything that was read, so that the raw record is kept.
# Rows of a database go under a path of their own, which no file has: `<database>#<session>`.
Keeper = Callable[[Path, int, bytes], None]


class SourceFile:
    """One unit of reading: a main file and the small files that belong to it.

    Its methods are the only way in which a reader touches the disk: what was read is handed
    to `keep`, which stores the raw bytes. Symlinks are never followed out of `root`.
    """

    def __init__(
        self,
        path: Path,
        *,
        root: Path,
        companions: tuple[Path, ...] = (),
        keep: Keeper | None = None,
        side: bool = False,
    ) -> None:
        self.path = path
        self.root = root
        self.companions = companions
        self.keep = keep
        # It only names sessions that other files make: read after those, and again for new ones.
        self.side = side
        self.end = Position()  # after `lines`: where the next reading starts
        # Set by a reader that went back to the start, since new lines change what old ones said.
        self.replaces = False

    def lines(self, after: Position | None = None) -> Iterator[Line]:
        """Finished lines from `after` on; a torn last line is kept raw and waits.

        A last line without newline counts as finished when it is whole JSON: agents that end
        their files so exist, and a half-written object never parses.
        """
        from sessions_app.agents.lines import read_lines

        return read_lines(self, after)

    def content(self, path: Path | None = None, *, limit: int = 64 * 1024 * 1024) -> bytes:
        """All bytes of the main file, or of one companion.

        Raises UnreadableSession when it is missing, not a file, or longer than `limit` bytes.
        """
        target = path or self.path
        try:
            size = target.stat().st_size
            if size > limit:
                raise UnreadableSession(f"{size} bytes are more than the limit of {limit}")
            data = target.read_bytes()
        except OSError as error:
            raise UnreadableSession(error.strerror or str(error)) from error
        if self.keep is not None:
            self.keep(target, 0, data)
        return data


class Agent(Protocol):
    """One agent's own files -> records. `version` rises when the reader's output changes."""

    name: str  # the source, as in the contract: claude-code, codex, clinvk ...
    label: str
    backends: tuple[str, ...]  # whose resume command this module knows
    version: int

    def homes(self, home: Path) -> list[Path]:
        """Where this agent keeps sessions for a user with this home, there or not."""
        ...

    def session_files(self, root: Path) -> Iterator[SourceFile]:
        """Everything readable below `root`, which is one of `homes` or a path given by hand."""
        ...

    def read(self, source: SourceFile, after: Position | None) -> Iterator[SessionRecord]:
        """Only what is new since `after`; after each yield `source.end` says how far it is.

        Raises UnreadableSession when nothing can be made of the file.
        """
        ...

    def live_sessions(self, root: Path) -> dict[str, bool]:
        """identity -> alive, from the agent's own registry of running processes, if it has one."""
        ...

    def resume_command(self, session: SessionFacts, prompt: str | None) -> str | None:
        """The shell command that goes on with this session, or None; everything is quoted."""
        ...
