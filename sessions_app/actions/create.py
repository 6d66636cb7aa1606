"""Sessions that programs make: new ones, or the one that has the name or the backend's id."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from sessions_app.actions.prepare import prepare
from sessions_app.actions.prepared import FilePart
from sessions_app.actions.projects import audience_for
from sessions_app.actions.record import Collector, store
from sessions_app.actions.record.facts import NUMBERS, WORDS
from sessions_app.actions.refusals import AlreadyThere, BadValue, NameTaken
from sessions_app.actions.session_names import clean_session_name
from sessions_app.models import AgentSession, Membership, Project, User
from sessions_app.records import TITLE_PERSON, SessionRecord

SOURCE, BACKEND = "api", "api"
TOLD = (*WORDS, *NUMBERS, "title", "prompt", "tags", "metadata", "created_at", "kind")


class Made(NamedTuple):
    """The session, and whether it is new."""

    session: AgentSession
    is_new: bool


class Wish(msgspec.Struct, kw_only=True):
    """What a program wants its session to be; `facts` as SessionRecord names them."""

    name: str | None = None
    backend: str = BACKEND
    backend_session_id: str = ""
    facts: dict[str, Any] = {}
    visibility: str = ""
    project: str = ""
    host: str = ""
    is_ephemeral: bool = False
    is_protected: bool = False


def create_session(
    wish: Wish, *, by: User, now: datetime, only_project: Project | None = None
) -> Made:
    """The new session; or the one of this name or this backend's id, as it is.

    To be called in a write transaction. `only_project` is the one that the token is for.
    """
    name = clean_session_name(wish.name) if wish.name is not None else None
    found = _named(name, wish, by) if name else None
    found = found or _same_backend_session(wish, by)
    if found is not None:
        if only_project is not None and found.project_id != only_project.pk:
            raise NameTaken(_("You have a session of this name in another project."), name=name)
        return Made(found, False)
    return Made(_create(wish, name, by, now, only_project), True)


def _named(name: str, wish: Wish, by: User) -> AgentSession | None:
    found = AgentSession.objects.filter(owner=by, name=name, trashed_at=None).first()
    if found is None:
        return None
    other = wish.backend_session_id and wish.backend_session_id != found.backend_session_id
    if found.backend_session_id and other:
        raise NameTaken(
            _("You have a session of this name, and it belongs to another conversation."),
            name=name, id=found.short_id,
        )  # fmt: skip
    return found


def _same_backend_session(wish: Wish, by: User) -> AgentSession | None:
    if not wish.backend_session_id:
        return None
    mine = AgentSession.objects.filter(collector=by, backend=wish.backend)
    found = mine.filter(identity=wish.backend_session_id).first()
    if found is not None and found.trashed_at is not None:
        raise AlreadyThere(
            _("This session is in the trash: restore it, or delete it there."), id=found.short_id
        )
    return found


def _create(
    wish: Wish, name: str | None, by: User, now: datetime, only_project: Project | None
) -> AgentSession:
    project = only_project or project_named(wish.project, by=by, now=now)
    native = wish.backend_session_id
    # Without the backend's own id one that nobody else can have.
    record = SessionRecord(SOURCE, wish.backend, native or f"api:{secrets.token_hex(12)}")
    for field in TOLD:
        if wish.facts.get(field) is not None:
            setattr(record, field, wish.facts[field])
    record.backend_session_id = native
    record.title_rank = TITLE_PERSON if record.title else 0
    record.status = AgentSession.Status.ACTIVE if native else AgentSession.Status.CREATED
    record.last_active = now
    record.created_at = record.created_at or now
    collector = Collector(by, by, wish.host, now, source_project=project)
    part = FilePart(SOURCE, [], [], [prepare(record, now=now)])
    [pk] = store([part], collector).created
    session = AgentSession.objects.select_related("project", "owner").get(pk=pk)
    session.name, session.is_ephemeral = name, wish.is_ephemeral
    session.is_protected = wish.is_protected
    session.visibility = wish.visibility or settings.SESSIONS_DEFAULT_VISIBILITY
    session.audience = audience_for(session)
    session.save(update_fields=["name", "is_ephemeral", "is_protected", "visibility", "audience"])
    return session


def project_named(name: str, *, by: User, now: datetime) -> Project | None:
    """The project with this key or name, made when there is none; raises BadValue."""
    if not name:
        return None
    theirs = Q(is_open=True) | Q(members=by)
    known = Project.objects.filter(Q(key=name) | Q(name=name)).distinct()
    found = list(known.filter(theirs)[:2])
    if len(found) > 1:
        raise BadValue(_("Several projects have this name: give the key."), field="project")
    if found:
        return found[0]
    key = f"name:{name}"
    if Project.objects.filter(key=key).exists():
        raise BadValue(_("This project is closed to you."), field="project")
    project = Project.objects.create(
        key=key, name=name, is_open=settings.SESSIONS_NEW_PROJECTS == "open", created_at=now
    )
    Membership.objects.create(project=project, user=by, role=Membership.Role.MAINTAINER)
    return project
