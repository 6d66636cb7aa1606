"""Which session a record speaks of, and what it changes on the session's row."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings

from sessions_app.actions.bulk import allocate_ids, in_groups, insert_models
from sessions_app.actions.names import new_short_id
from sessions_app.actions.prepared import FilePart, PreparedSession
from sessions_app.actions.projects import audience_for, project_for
from sessions_app.actions.record import links
from sessions_app.actions.record.batch import Collector, Entry
from sessions_app.actions.record.facts import apply_facts, settle_status
from sessions_app.models import AgentSession, SessionAlias, StatusChange

Key = tuple[str, str]

# Written only when a session is made, or by people.
FIXED = {"id", "short_id", "name", "collector", "owner", "visibility", "received_at",
         "is_sample", "is_protected", "trashed_at", "kind", "source"}  # fmt: skip


def open_group(parts: Sequence[FilePart], by: Collector) -> list[Entry]:
    """One entry for each session of the group; unknown ones are made (not saved yet)."""
    items = [(part, item) for part in parts for item in part.sessions]
    known = _known([item for _, item in items], by)
    aliases = _aliases([item for _, item in items], by)
    entries: list[Entry] = []
    for part, item in items:
        record = item.record
        session = known.get((record.backend, record.identity))
        session = _by_alias(item, session, aliases, by)
        if session is None and record.only_if_known:
            continue
        path = part.files[0].path if part.files else ""
        if session is None:
            session = _new_session(item, part.source, by)
            entries.append(Entry(session, item, True, path, part.source))
        else:
            entries.append(Entry(session, item, False, path, part.source, before=session.status))
    fresh = [entry.session for entry in entries if entry.is_new]
    for session, pk in zip(fresh, allocate_ids(AgentSession, len(fresh)), strict=True):
        session.pk = pk
    return entries


def _known(items: Sequence[PreparedSession], by: Collector) -> dict[Key, AgentSession]:
    found: dict[Key, AgentSession] = {}
    for identities in in_groups(item.record.identity for item in items):
        rows = AgentSession.objects.filter(collector=by.user, identity__in=identities)
        found.update({(row.backend, row.identity): row for row in rows})
    return found


def _aliases(items: Sequence[PreparedSession], by: Collector) -> dict[str, AgentSession]:
    names = [item.record.alias for item in items if item.record.alias]
    rows = SessionAlias.objects.filter(collector=by.user, name__in=names)
    return {row.name: row.session for row in rows.select_related("session")}


def _by_alias(
    item: PreparedSession,
    session: AgentSession | None,
    aliases: dict[str, AgentSession],
    by: Collector,
) -> AgentSession | None:
    """Bring together what was first known by another name (clinvk told its backend id late)."""
    record = item.record
    other = aliases.get(record.alias) if record.alias else None
    if other is None or other == session:
        return session
    if session is None:
        other.backend, other.identity = record.backend, record.identity
        other.backend_session_id = record.backend_session_id or other.backend_session_id
        return other
    links.merge_stub(other, session)
    return session


def _new_session(item: PreparedSession, source: str, by: Collector) -> AgentSession:
    record = item.record
    created = record.created_at or record.last_active or by.now
    session = AgentSession(
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
    return session


def close_group(entries: Sequence[Entry], by: Collector, raw_sizes: dict[int, int]) -> None:
    """Write the sessions' rows with their counters, statuses, tags and links."""
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
    _update([entry.session for entry in entries if not entry.is_new])
    StatusChange.objects.bulk_create(changes)
    links.record(entries, by)


def _update(sessions: Sequence[AgentSession]) -> None:
    fields = [field.name for field in AgentSession._meta.concrete_fields if field.name not in FIXED]
    if len(sessions) > 3:
        AgentSession.objects.bulk_update(sessions, fields, batch_size=50)
        return
    for session in sessions:
        session.save(update_fields=fields)
