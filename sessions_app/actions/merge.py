"""Merging sessions into a new one; the sessions themselves stay as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from sessions_app import border
from sessions_app.actions.merge_plan import Plan, plan_merge
from sessions_app.actions.merge_rows import copy_messages, link_usage
from sessions_app.actions.names import new_short_id
from sessions_app.actions.prepare_facts import LONG
from sessions_app.actions.projects import audience_for
from sessions_app.actions.refusals import BadValue, TooLarge
from sessions_app.actions.tokens import recount_usage
from sessions_app.actions.transaction import record_alone, write_transaction
from sessions_app.models import (
    AgentSession,
    Artifact,
    Project,
    Relation,
    SessionTag,
    StatusChange,
    User,
)
from sessions_app.records import TITLE_PERSON, TITLE_PROMPT

MOST_SOURCES = 50
MOST_MESSAGES = 200_000
ORDERS = ("time", "sequence")
MIXED = "mixed"  # the backend of a merge of several backends

Status = AgentSession.Status
Visibility = AgentSession.Visibility


def merge_sessions(
    sessions: Sequence[AgentSession],
    *,
    by: User,
    description: str = "",
    order: str = "time",
    now: datetime,
) -> AgentSession:
    """A new session with the messages of all of these, each once, and their usage, linked.

    `order`: "time" mixes them by when something was said; "sequence" puts one after the other.
    """
    _check(sessions, order)
    with write_transaction():
        record_alone()
        sources = _held(sessions)
        merged = _new_session(sources, by, border.clean_text(description.strip(), LONG), now)
        plan = plan_merge(sources, by_time=order == "time")
        merged.save()
        ids = copy_messages(merged, plan, sources, now)
        link_usage(merged, sources, plan, ids)
        recount_usage(merged)
        merged.save()
        _link(merged, sources)
        _share_artifacts(merged, sources, now)
        StatusChange.objects.create(
            session=merged, status=merged.status, at=now, actor=by, reason="merged from others"
        )
    return merged


def preview_merge(sessions: Sequence[AgentSession], *, order: str = "time") -> Plan:
    """What a merge would hold, without making it."""
    _check(sessions, order)
    return plan_merge(sessions, by_time=order == "time")


def _check(sessions: Sequence[AgentSession], order: str) -> None:
    if order not in ORDERS:
        raise BadValue(_("The order is time or sequence."), field="order")
    if not 2 <= len({session.pk for session in sessions}) == len(sessions):
        raise BadValue(_("Name at least two sessions, each once."), field="ids")
    if any(session.is_ephemeral for session in sessions):
        raise BadValue(_("Nothing is kept of an ephemeral session."), field="ids")
    if len(sessions) > MOST_SOURCES:
        raise TooLarge(_("Too many sessions at once."), limit=MOST_SOURCES)
    if sum(session.message_count for session in sessions) > MOST_MESSAGES:
        raise TooLarge(_("Too many messages at once."), limit=MOST_MESSAGES)


def _held(sessions: Sequence[AgentSession]) -> list[AgentSession]:
    """The sessions as they are now, in the given order; nobody changes them meanwhile."""
    rows = AgentSession.objects.filter(pk__in=[session.pk for session in sessions])
    rows = rows.select_related("project").select_for_update(of=("self",)).order_by("pk")
    found = {row.pk: row for row in rows}
    return [found[session.pk] for session in sessions]


def _new_session(
    sources: Sequence[AgentSession], by: User, description: str, now: datetime
) -> AgentSession:
    short_id = new_short_id()
    visibility, project = _audience(sources)
    names = ", ".join(str(source) for source in sources)
    merged = AgentSession(
        short_id=short_id, collector=by, owner=by, source="merge", identity=f"merge:{short_id}",
        backend=_common(sources, "backend") or MIXED, status=Status.CREATED,
        visibility=visibility, project=project, description=description,
        title=border.clean_line(description or names, 300),
        title_rank=TITLE_PERSON if description else TITLE_PROMPT,
        prompt=sources[0].prompt, model=_common(sources, "model"),
        models_used=_once(name for source in sources for name in source.models_used)[:50],
        metadata=_metadata(sources), received_at=now,
        created_at=min(source.created_at for source in sources),
        last_active=max(source.last_active for source in sources),
    )  # fmt: skip
    for name in ("host", "work_dir", "git_branch", "repository_url", "agent_version"):
        setattr(merged, name, _common(sources, name))
    merged.audience = audience_for(merged)
    return merged


def _audience(sources: Sequence[AgentSession]) -> tuple[str, Project | None]:
    """Nobody sees by a merge what they did not see before."""
    same = {(source.audience, source.project_id, source.visibility) for source in sources}
    projects = {source.project_id for source in sources}
    project = sources[0].project if len(projects) == 1 else None
    return (sources[0].visibility if len(same) == 1 else Visibility.PRIVATE), project


def _common(sources: Sequence[AgentSession], name: str) -> str:
    """What all of them say; nothing when they differ."""
    told = {getattr(source, name) for source in sources}
    return str(told.pop()) if len(told) == 1 else ""


def _metadata(sources: Sequence[AgentSession]) -> dict[str, Any]:
    """Everything that any of them tells; the first one wins."""
    merged: dict[str, Any] = {}
    for source in reversed(sources):
        merged |= source.metadata
    return merged


def _once(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _link(merged: AgentSession, sources: Sequence[AgentSession]) -> None:
    """Where it comes from, and the tags of all."""
    Relation.objects.bulk_create(
        Relation(
            child=merged, parent=source, kind=Relation.Kind.MERGE, parent_identity=source.short_id
        )
        for source in sources
    )
    tags = SessionTag.objects.filter(session__in=sources).order_by("pk")
    SessionTag.objects.bulk_create(
        SessionTag(session=merged, tag_id=tag, by=merged.owner)
        for tag in dict.fromkeys(tags.values_list("tag", flat=True))
    )


def _share_artifacts(merged: AgentSession, sources: Sequence[AgentSession], now: datetime) -> None:
    """The same bytes under the same name; other bytes of that name go below their session's id."""
    taken: dict[str, str] = {}
    for source in sources:
        for path, sha256, size in source.artifacts.values_list("path", "sha256", "size"):
            name = path
            if taken.get(path, sha256) != sha256:
                name = f"{source.short_id}/{path}"
            if name in taken:
                continue
            taken[name] = sha256
            Artifact.objects.create(
                session=merged, path=name, sha256=sha256, size=size, received_at=now
            )
