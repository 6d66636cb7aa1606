"""What the one door does not carry: names, statuses, states and artifacts of an archive."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from sessions_app import border
from sessions_app.actions.bulk import in_groups
from sessions_app.actions.names import ALPHABET, LENGTH
from sessions_app.actions.prepare import prepare
from sessions_app.actions.prepare_facts import NAME, PATH
from sessions_app.actions.projects import audience_for
from sessions_app.actions.record import Collector
from sessions_app.actions.refusals import Refused
from sessions_app.actions.snapshots import pack_state
from sessions_app.actions.stored_files import name_stored
from sessions_app.ingest.archive.lines import Facts, SnapshotFacts, moment, session_record
from sessions_app.ingest.archive.staged import (
    StagedArchive,
    StagedSession,
    read_state_file,
    snapshot_names,
)
from sessions_app.models import (
    AgentSession,
    Artifact,
    IngestProblem,
    Relation,
    Snapshot,
    StatusChange,
)

ORIGIN = "imported_from"  # in the metadata: what it was before
OUR_ID = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")
SAME = (
    "title", "title_rank", "prompt", "description", "model", "error", "turn", "current_task",
    "progress", "total_steps", "exit_code", "duration_seconds", "work_dir", "git_branch",
    "repository_url", "agent_version", "backend_session_id",
)  # fmt: skip
OVER = ("completed", "error", "crashed")


def finish_session(
    archive: StagedArchive,
    staged: StagedSession,
    session_id: int,
    origin: dict[str, str],
    by: Collector,
) -> AgentSession:
    """Complete a session that was stored just now, in the same transaction."""
    session = AgentSession.objects.select_related("project").get(pk=session_id)
    session.source = "import"
    if staged.is_ours:
        _tell_facts(session, staged.facts, by)
        _save_states(archive, staged, session, by)
        _link_merged(session, staged.facts, by)
    session.metadata = {**session.metadata, ORIGIN: origin}
    session.save()
    _name_artifacts(staged, session, by)
    return session


def _tell_facts(session: AgentSession, facts: Facts, by: Collector) -> None:
    record = prepare(session_record(facts), now=by.now).record
    for name in SAME:
        setattr(session, name, getattr(record, name))
    session.metadata = record.metadata
    models = (border.clean_line(name, NAME) for name in facts.models[:50])
    session.models_used = [name for name in models if name]
    session.created_at = record.created_at or session.created_at
    session.last_active = max(record.last_active or session.last_active, session.created_at)
    if facts.visibility in AgentSession.Visibility.values:
        session.visibility = facts.visibility
    session.audience = audience_for(session)
    name = border.clean_line(facts.name or "", 200)
    if name and not AgentSession.objects.filter(owner=by.owner, name=name).exists():
        session.name = name
    is_free = not AgentSession.objects.filter(short_id=facts.id).exists()
    if OUR_ID.fullmatch(facts.id) and is_free:
        session.short_id = facts.id
    _tell_status(session, facts, by)


def _tell_status(session: AgentSession, facts: Facts, by: Collector) -> None:
    status = facts.status if facts.status in AgentSession.Status.values else session.status
    if status != session.status:
        session.status = status
        StatusChange.objects.create(
            session=session, status=status, at=by.now, actor=by.user, reason="the archive says so"
        )
    ended = border.clean_time(moment(facts.ended_at), now=by.now) or session.last_active
    session.ended_at = ended if status in OVER else None


def _save_states(
    archive: StagedArchive, staged: StagedSession, session: AgentSession, by: Collector
) -> None:
    """One at a time; a torn one is named, the others stay good."""
    facts = {item.step: item for item in staged.facts.snapshots}
    for name in snapshot_names(staged):
        full = staged.folder + name
        try:
            told = read_state_file(archive.archive, full)
            ready = pack_state(bytes(told.state))
            if not 0 <= told.step <= border.MAX_INT:
                raise ValueError("no step")
        except (ValueError, RecursionError, msgspec.MsgspecError, Refused) as error:
            _problem(session, f"{archive.label}:{full}", str(error), by)
            continue
        known = facts.get(told.step, SnapshotFacts(told.step, told.timestamp))
        count = known.messages_before
        Snapshot.objects.update_or_create(
            session=session,
            step=told.step,
            defaults={
                "at": border.clean_time(moment(known.at), now=by.now),
                "received_at": by.now, "problem": "", **ready._asdict(),
                "at_seq": count if border.is_count(count) else None,
            },
        )  # fmt: skip


def _problem(session: AgentSession, path: str, reason: str, by: Collector) -> None:
    IngestProblem.objects.get_or_create(
        collector=by.user, path=border.clean_name(path, border.MAX_PATH), line=0,
        reason=border.clean_line(reason, 300) or "unreadable",
        defaults={"source": "import", "session": session, "seen_at": by.now},
    )  # fmt: skip


def _link_merged(session: AgentSession, facts: Facts, by: Collector) -> None:
    """A merge knows its sources by their ids; those that the importer may see are linked."""
    visible = AgentSession.objects.visible_to(by.user).exclude(pk=session.pk)
    for item in facts.relations:
        if item.kind == Relation.Kind.MERGE:
            name = border.clean_name(item.parent_identity, 400)
            Relation.objects.get_or_create(
                child=session, kind=item.kind, parent_identity=name,
                defaults={"parent": visible.filter(short_id=name).first()},
            )  # fmt: skip


def _name_artifacts(staged: StagedSession, session: AgentSession, by: Collector) -> None:
    sizes = dict(staged.artifacts.values())
    if sizes:
        name_stored(sizes, by.now)
    rows: dict[str, Artifact] = {}
    for entry, (sha256, size) in staged.artifacts.items():
        path = _artifact_path(staged.facts.artifact_names.get(entry, entry), entry)
        rows[path] = Artifact(
            session=session, path=path, sha256=sha256, size=size, received_at=by.now
        )
    for paths in in_groups(rows):
        Artifact.objects.bulk_create([rows[path] for path in paths])


def _artifact_path(told: Any, entry: str) -> str:
    """The true name where it can be stored; it is never a path of ours."""
    path = told if isinstance(told, str) and told else entry
    return border.clean_name(path, PATH)
