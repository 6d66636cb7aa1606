"""Edits of a session's facts, by people and programs; each raises the number in its ETag."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import Http404
from django.utils.translation import gettext_lazy as _

from sessions_app import border
from sessions_app.actions.create import project_named
from sessions_app.actions.leases import check_fence, hold_session
from sessions_app.actions.prepare_facts import LINES, TEXTS, bounded, small
from sessions_app.actions.projects import audience_for
from sessions_app.actions.refusals import AlreadyThere, BadValue, NameTaken, Outdated
from sessions_app.actions.session_names import clean_session_name
from sessions_app.actions.tagging import set_tags
from sessions_app.models import AgentSession, User
from sessions_app.records import TITLE_PERSON

WORDS = ("title", "description", "model", "work_dir", "git_branch", "current_task", "prompt",
         "repository_url", "error")  # fmt: skip
PLAIN = ("progress", "total_steps", "exit_code", "duration_seconds", "visibility")


def edit_session(
    session: AgentSession,
    changes: dict[str, Any],
    *,
    by: User,
    now: datetime,
    fence: int | None = None,
    edits: int | None = None,
) -> AgentSession:
    """Set what `changes` name; in the caller's transaction. `edits` is what the editor had read."""
    session = hold_session(session)
    if session.trashed_at is not None:
        raise Http404
    if edits is not None and edits != session.edits:
        raise Outdated(
            _("Somebody else has changed this session since you read it: read it again."),
            etag=etag(session),
        )
    check_fence(session, fence, now=now)
    for field, value in changes.items():
        _set(session, field, value, by, now)
    session.edits += 1
    session.audience = audience_for(session)
    session.save()
    if "tags" in changes:
        set_tags(session, changes["tags"] or [], by=by)
    return session


def etag(session: AgentSession) -> str:
    """Of the facts that can be edited: messages that come in do not make it stale."""
    return f'"{session.edits}"'


def _set(session: AgentSession, field: str, value: Any, by: User, now: datetime) -> None:
    if field in WORDS:
        limit = {**LINES, **TEXTS}[field]
        clean = border.clean_line if field in LINES else border.clean_text
        setattr(session, field, clean(value or "", limit))
        if field == "title":
            session.title_rank = TITLE_PERSON if value else 0
    elif field in PLAIN:
        setattr(session, field, small(value) if field == "exit_code" else value)
    elif field == "metadata":
        session.metadata = bounded(border.clean_json(value or {}))
    elif field == "host":
        session.host = border.clean_line(value or "", 200)
    elif field == "project":
        session.project = project_named(value or "", by=by, now=now)
    elif field == "name":
        session.name = _free_name(session, value)
    elif field == "backend_session_id":
        _set_identity(session, value)


def _free_name(session: AgentSession, name: str | None) -> str | None:
    if name is None:
        return None
    told = clean_session_name(name)
    others = AgentSession.objects.filter(owner=session.owner_id, name=told, trashed_at=None)
    if others.exclude(pk=session.pk).exists():
        raise NameTaken(_("Another session of this owner has the name."), name=told)
    return told


def _set_identity(session: AgentSession, native: str | None) -> None:
    """The backend's own id is learnt late, and makes the session resumable."""
    if native == session.backend_session_id:
        return
    if not native or session.backend_session_id:
        raise BadValue(
            _("The backend's id can be told once, and never changes."), field="backend_session_id"
        )
    native = border.clean_name(native, 200)
    same = AgentSession.objects.filter(
        collector=session.collector_id, backend=session.backend, identity=native
    )
    if same.exists():
        raise AlreadyThere(_("Another session has this id of the backend."), id=native)
    session.backend_session_id = session.identity = native
