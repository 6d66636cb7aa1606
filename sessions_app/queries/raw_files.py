"""The files that a session was read from, its sub-agents' included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sessions_app.models import AgentSession, Artifact, RawFile, Relation
from sessions_app.queries.access import Person

GROUP = 500  # sessions in one query
COLUMNS = (
    "session", "source", "host", "path", "main_path", "size", "raw_size", "mtime_ns", "generation",
)  # fmt: skip


class Stored(NamedTuple):
    """An artifact: its session and its path inside of that session's folder of artifacts."""

    session: int
    path: str


def raw_files(sessions: Sequence[int]) -> list[RawFile]:
    """The files of these sessions, by path, without what only a reading needs."""
    found: list[RawFile] = []
    for start in range(0, len(sessions), GROUP):
        rows = RawFile.objects.filter(session__in=sessions[start : start + GROUP])
        found += rows.only(*COLUMNS)
    return sorted(found, key=lambda file: (file.path, file.pk))


def with_subagents(sessions: Iterable[AgentSession], viewer: Person) -> list[int]:
    """Their keys and those of the sub-agents below them that this person may see."""
    seen = list(dict.fromkeys(session.pk for session in sessions))
    known, level = set(seen), seen
    visible = AgentSession.objects.visible_to(viewer)
    while level:
        below: list[int] = []
        for start in range(0, len(level), GROUP):
            links = Relation.objects.filter(
                parent__in=level[start : start + GROUP], kind=Relation.Kind.SUBAGENT
            )
            below += visible.filter(pk__in=links.values("child")).values_list("pk", flat=True)
        level = [pk for pk in dict.fromkeys(below) if pk not in known]
        known.update(level)
        seen += level
    return seen


def artifact_bytes(sessions: Sequence[int]) -> dict[Stored, str]:
    """The SHA-256 of every artifact: its bytes are a stored file."""
    found: dict[Stored, str] = {}
    for start in range(0, len(sessions), GROUP):
        rows = Artifact.objects.filter(session__in=sessions[start : start + GROUP])
        for session, path, sha256 in rows.values_list("session", "path", "sha256"):
            found[Stored(session, path)] = sha256
    return found
