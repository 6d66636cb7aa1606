"""Whose a session is, where it belongs, and who may therefore see it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sessions_app.actions.projects import audience_for, share_sessions
from sessions_app.actions.transaction import write_transaction
from sessions_app.models import AgentSession, AuditEntry, Project, User

PLACE = ("owner", "project", "visibility", "is_protected")


def place_session(session: AgentSession, *, by: User) -> AgentSession:
    """Store owner, project, visibility and protection as they now stand on `session`."""
    with write_transaction():
        session.audience = audience_for(session)
        session.save(update_fields=[*PLACE, "audience"])
        told = {
            "owner": session.owner.get_username(),
            "project": session.project.key if session.project else None,
            "visibility": session.visibility,
            "protected": session.is_protected,
        }
        _audit("session.place", session.short_id, told, by)
    return session


def place_project(project: Project, *, by: User) -> Project:
    """Store name and openness as they now stand on `project`; its sessions follow.

    After members have come or gone, too: who owns a session of a closed project sees it.
    """
    with write_transaction():
        project.save(update_fields=["name", "is_open"])
        share_sessions(project)
        _audit("project.place", project.key[:200], {"open": project.is_open}, by)
    return project


def _audit(action: str, target: str, details: dict[str, Any], by: User) -> None:
    AuditEntry.objects.create(
        at=datetime.now(UTC),
        actor=by,
        actor_name=by.get_username(),
        action=action,
        target=target,
        details=details,
    )
