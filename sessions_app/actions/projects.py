"""Which project a session belongs to, and who may therefore see it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import F

from sessions_app import border
from sessions_app.models import AgentSession, Membership, Project
from sessions_app.models.session import EVERYONE, audience_of_project, audience_of_user

if TYPE_CHECKING:
    from sessions_app.actions.record.batch import Collector

# [scheme://][user[:password]@]host[:port]/path[.git][/][?query], or host:path as scp takes it.
URL = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?:[^@/\s]+@)*(?P<host>\[[^\]]+\]|[^:/@\s]+)"
    r"(?::\d+(?=/))?(?P<mark>:(?!//)|/)/*(?P<path>[^?#]+?)(?:\.git)?/*(?:[?#].*)?",
    re.IGNORECASE,
)
BARE_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.IGNORECASE)
KEY = 600  # bytes


def project_key(repository_url: str, host: str, path: str) -> tuple[str, str]:
    """(key, name): the normalised remote URL, else host and path; ("", "") without both.

    "git@github.com:me/api.git" and "https://github.com/me/api" are one project.
    """
    match = URL.fullmatch(repository_url.strip())
    if match and _is_remote(match):
        key = f"{match['host'].lower()}/{match['path'].strip('/')}"
        return border.clean_name(key, KEY), border.clean_line(key.rsplit("/", 1)[-1], 200)
    path = path.rstrip("/\\")
    if not path:
        return "", ""
    name = re.split(r"[/\\]", path)[-1]
    return border.clean_name(f"{host}:{path}", KEY), border.clean_line(name, 200)


def _is_remote(match: re.Match[str]) -> bool:
    """Not a path on this machine, which another machine calls the same for another repository."""
    if match["scheme"]:
        return match["scheme"].lower() != "file"
    if match["mark"] == ":":
        return len(match["host"]) > 1  # one letter is a drive
    return BARE_HOST.fullmatch(match["host"]) is not None


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
    pages do, and is seen by its owner until they do. What a stranger brings into a closed
    project (a log can name any repository) is his alone, or he would not see it himself.
    """
    if session.visibility == AgentSession.Visibility.EVERYONE:
        return EVERYONE
    project = session.project
    if session.visibility == AgentSession.Visibility.PROJECT and project is not None:
        if project.is_open:
            return EVERYONE
        if Membership.objects.filter(project=project, user=session.owner_id).exists():
            return audience_of_project(project.pk)
    return audience_of_user(session.owner_id)


def share_sessions(project: Project) -> None:
    """Bring the audience of a project's sessions up to date with its members and openness."""
    shared = AgentSession.objects.filter(
        project=project, visibility=AgentSession.Visibility.PROJECT
    )
    if project.is_open:
        shared.update(audience=EVERYONE)
        return
    members = Membership.objects.filter(project=project).values("user")
    shared.filter(owner__in=members).update(audience=audience_of_project(project.pk))
    shared.exclude(owner__in=members).update(audience=F("owner_id") * -1)
