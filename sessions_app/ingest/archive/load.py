"""Staged archives into the tables: through the one door, new ids where needed, never over others.

A session that is there already, live and with the same content, stays as it is; one that
differs stays as well, and the archive's becomes a session of its own beside it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sessions_app import border
from sessions_app.actions.prepare_facts import IDENTITY
from sessions_app.actions.record.batch import Collector
from sessions_app.actions.transaction import record_alone, write_transaction
from sessions_app.ingest.archive.finish import ORIGIN, finish_session
from sessions_app.ingest.archive.foreign import folder_name, foreign_parts
from sessions_app.ingest.archive.ours import our_parts
from sessions_app.ingest.archive.staged import StagedArchive, StagedSession
from sessions_app.models import AgentSession, Project, User

ContentDigest = Callable[[AgentSession], str]


@dataclass(frozen=True, slots=True)
class Wish:
    """For whom to import. `content_digest` tells what an export of a session would hold."""

    user: User
    now: datetime
    content_digest: ContentDigest
    project: Project | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one session of the archive."""

    session: AgentSession
    archive_id: str
    is_new: bool
    messages: int
    problems: int


def load_archive(staged: StagedArchive, wish: Wish) -> list[Imported]:
    """Store every session, each in a transaction of its own unless the caller holds one."""
    return [_load(staged, session, wish) for session in staged.sessions]


def _load(archive: StagedArchive, staged: StagedSession, wish: Wish) -> Imported:
    with write_transaction():
        record_alone()
        told_id = staged.facts.id or staged.folder.strip("/")
        backend, identity = _identity(staged)
        identity, existing = _target(wish, backend, identity, staged.digest)
        if existing is not None:
            return Imported(existing, told_id, False, 0, 0)
        by = Collector(
            wish.user, wish.user, border.clean_line(staged.facts.host, 200), wish.now,
            source_project=wish.project,
        )  # fmt: skip
        is_folder = staged.facts.original or not staged.is_ours
        parts = foreign_parts if is_folder else our_parts
        stored = parts(archive, staged, by, identity)
        origin = {
            "id": told_id[:200], "source": staged.facts.source[:32] or "sessions-dir",
            "digest": staged.digest,
        }  # fmt: skip
        session = finish_session(archive, staged, stored.session, origin, by)
    return Imported(session, told_id, True, session.message_count, stored.problems)


def _identity(staged: StagedSession) -> tuple[str, str]:
    """(backend, identity) as the archive or its folder names them."""
    if not staged.is_ours:
        return "kimi", border.clean_name(folder_name(staged), IDENTITY)
    facts = staged.facts
    backend = border.clean_line(facts.backend, 32) or "unknown"
    identity = facts.identity or f"import:{facts.id or staged.digest}"
    return backend, border.clean_name(identity, IDENTITY)


def _target(
    wish: Wish, backend: str, identity: str, digest: str
) -> tuple[str, AgentSession | None]:
    """A free identity for the session, or the session that is this one already."""
    for number in itertools.count():
        name = identity
        if number:
            end = f"~{digest[:16]}" + (f"~{number}" if number > 1 else "")
            name = border.clean_name(identity + end, IDENTITY)
        rows = AgentSession.objects.filter(collector=wish.user, backend=backend, identity=name)
        session = rows.first()
        if session is None:
            return name, None
        if session.trashed_at is None and _is_same(session, digest, wish):
            return name, session
    raise AssertionError("unreachable")


def _is_same(session: AgentSession, digest: str, wish: Wish) -> bool:
    origin = session.metadata.get(ORIGIN)
    if isinstance(origin, dict) and origin.get("digest") == digest:
        return True
    return not session.is_ephemeral and wish.content_digest(session) == digest
