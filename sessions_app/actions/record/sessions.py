"""Which session a record speaks of, and what it changes on the session's row."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.conf import settings

from sessions_app.actions.bulk import allocate_ids, in_groups, insert_models, save_models
from sessions_app.actions.names import new_short_id
from sessions_app.actions.prepared import FilePart, PreparedSession
from sessions_app.actions.projects import audience_for, project_for
from sessions_app.actions.record import stubs
from sessions_app.actions.record.batch import Collector, Entry
from sessions_app.actions.record.facts import apply_facts, settle_status
from sessions_app.models import AgentSession, SessionAlias, StatusChange

Key = tuple[str, str]

# Written only when a session is made, or by people.
FIXED = {"id", "short_id", "name", "collector", "owner", "visibility", "received_at",
         "is_sample", "is_protected", "is_ephemeral", "edits", "trashed_at"}  # fmt: skip


def open_group(parts: Sequence[FilePart], by: Collector, files: Collection[str]) -> list[Entry]:
    """One entry for each session of the group; unknown ones are made (not saved yet).

    `files` are the paths of these parts that were read before.
    """
    items = [(part, item) for part in parts for item in part.sessions]
    known = _known([item for _, item in items], by)
    aliases = _aliases([item for _, item in items], by)
    entries = []
    for part, item in items:
        session = known.get((item.record.backend, item.record.identity))
        entry = _entry(part, item, session, aliases, by)
        if entry is not None:
            entry.is_copy = not entry.is_new and bool(entry.path) and entry.path not in files
            entries.append(entry)
    fresh = [entry.session for entry in entries if entry.is_new]
    for session, pk in zip(fresh, allocate_ids(AgentSession, len(fresh)), strict=True):
        session.pk = pk
    return entries


def _entry(
    part: FilePart,
    item: PreparedSession,
    session: AgentSession | None,
    aliases: dict[str, AgentSession],
    by: Collector,
) -> Entry | None:
    record = item.record
    path = part.files[0].path if part.files else ""
    stub = aliases.get(record.alias) if record.alias else None
    is_renamed = False
    if stub is not None and stub != session and stubs.is_stub(stub):
        # What was first known by another name: clinvk learns its backend's id late.
        if session is None:
            session, is_renamed = stub, True
            session.backend, session.identity = record.backend, record.identity
        else:
            stubs.merge(stub, session)
    if session is None:
        if record.only_if_known:
            return None
        session = _new_session(item, by.source or part.source, by)
        return Entry(session, item, True, path, part.source)
    entry = Entry(session, item, False, path, part.source, is_renamed=is_renamed)
    entry.before, entry.seq_before = session.status, session.last_seq
    return entry


def _known(items: Sequence[PreparedSession], by: Collector) -> dict[Key, AgentSession]:
    """The stored sessions, held so that nobody else changes them meanwhile."""
    found: dict[Key, AgentSession] = {}
    mine = AgentSession.objects.filter(collector=by.user).select_related("project")
    for identities in in_groups(item.record.identity for item in items):
        rows = mine.filter(identity__in=identities).select_for_update(of=("self",))
        found.update({(row.backend, row.identity): row for row in rows})
    return found


def _aliases(items: Sequence[PreparedSession], by: Collector) -> dict[str, AgentSession]:
    names = [item.record.alias for item in items if item.record.alias]
    if not names:
        return {}
    rows = SessionAlias.objects.filter(collector=by.user, name__in=names)
    rows = rows.select_related("session__project").select_for_update(of=("self", "session"))
    return {row.name: row.session for row in rows}


def _new_session(item: PreparedSession, source: str, by: Collector) -> AgentSession:
    record = item.record
    created = record.created_at or record.last_active or by.now
    return AgentSession(
        short_id=new_short_id(),
        collector=by.user,
        owner=by.owner,
        source=source,
        backend=record.backend,
        identity=record.identity,
        kind=record.kind,
        visibility=settings.SESSIONS_DEFAULT_VISIBILITY,
        is_sample=by.is_sample,
        created_at=created,
        last_active=record.last_active or created,
        received_at=by.now,
        status=AgentSession.Status.CREATED,
    )


def close_group(entries: Sequence[Entry], by: Collector, raw_sizes: dict[int, int]) -> None:
    """Write the sessions' rows with their counters and statuses."""
    changes: list[StatusChange] = []
    for entry in entries:
        session = entry.session
        apply_facts(entry, by)
        if session.project_id is None:
            session.project = by.source_project or project_for(session, by)
        session.audience = audience_for(session)
        session.size_bytes = raw_sizes.get(session.pk, session.size_bytes)
        reason = settle_status(entry, by.now)
        if entry.is_new or session.status != entry.before:
            changes.append(
                StatusChange(session=session, status=session.status, at=by.now, reason=reason)
            )
    insert_models([entry.session for entry in entries if entry.is_new])
    names = [field.name for field in AgentSession._meta.concrete_fields if field.name not in FIXED]
    save_models([entry.session for entry in entries if not entry.is_new], names)
    StatusChange.objects.bulk_create(changes)
