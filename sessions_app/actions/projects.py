"""Which project a session belongs to, and who may therefore see it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.conf import settings

from sessions_app.models import AgentSession, Membership, Project
from sessions_app.models.session import EVERYONE, audience_of_project, audience_of_user

if TYPE_CHECKING:
    from sessions_app.actions.record.batch import Collector

URL = re.compile(
    r"^(?:[a-z+]+://)?(?:[^@/]+@)?(?P<host>[^:/]+)(?::\d+(?=/))?[:/]+(?P<path>.+?)(?:\.git)?/*$",
    re.IGNORECASE,
)


def project_key(repository_url: str, host: str, path: str) -> tuple[str, str]:
    """(key, name): the normalised remote URL, else host and path; ("", "") without both.

    "git@github.com:me/api.git" and "https://github.com/me/api" are one project.
    """
    match = URL.match(repository_url.strip()) if repository_url else None
    if match:
        key = f"{match['host'].lower()}/{match['path'].strip('/')}"
        return key[:1000], key.rsplit("/", 1)[-1][:200]
    path = path.rstrip("/\\")
    if not path:
        return "", ""
    return f"{host}:{path}"[:1000], re.split(r"[/\\]", path)[-1][:200]


def project_for(session: AgentSession, by: Collector) -> Project | None:
    """The project of this session's repository or folder, made when it is new."""
    url = session.repository_url or by.remotes.get(session.work_dir, "")
    key, name = project_key(url, session.host or by.host, session.work_dir)
    if not key:
        return None
    if key not in by.projects:
        by.projects[key] = _get_or_make(key, name, by)
    return by.projects[key]


def _get_or_make(key: str, name: str, by: Collector) -> Project:
    project, made = Project.objects.get_or_create(
        key=key,
        defaults={
            "name": name or key[-200:],
            "is_open": settings.SESSIONS_NEW_PROJECTS == "open",
            "created_at": by.now,
        },
    )
    if made:
        Membership.objects.create(project=project, user=by.owner, role=Membership.Role.MAINTAINER)
    return project


def audience_for(session: AgentSession) -> int:
    """Who may see the session, as the one indexed number behind `visible_to`.

    Without a project "project" means its owner alone; "numbers only" hides text, which the
    pages do, and is seen by its owner until they do.
    """
    if session.visibility == AgentSession.Visibility.EVERYONE:
        return EVERYONE
    project = session.project
    if session.visibility == AgentSession.Visibility.PROJECT and project is not None:
        return EVERYONE if project.is_open else audience_of_project(project.pk)
    return audience_of_user(session.owner_id)
