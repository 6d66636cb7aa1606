"""What a person may look up: the row, or 404 as if it did not exist."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.http import Http404

from sessions_app.models import AgentSession, IngestProblem, RawFile, User
from sessions_app.models.session import SessionQuerySet

ID_LENGTH = 12
SHORTEST_PREFIX = 4
CHOICES_SHOWN = 10

BY_ID = f'SELECT * FROM "{AgentSession._meta.db_table}" WHERE short_id = %s'

Person = User | AnonymousUser


class AmbiguousId(Exception):
    """Several visible sessions start with what was typed; `choices` are some of their ids."""

    def __init__(self, typed: str, choices: list[str]) -> None:
        super().__init__(f"{typed} is the start of {', '.join(choices)}.")
        self.choices = choices


def session_or_404(
    user: Person, typed: str, sessions: SessionQuerySet | None = None
) -> AgentSession:
    """The visible session with this id, or with an id that only it begins with."""
    rows = AgentSession.objects.all() if sessions is None else sessions
    return _only_one(rows.visible_to(user), typed)


def trashed_or_404(
    user: Person, typed: str, sessions: SessionQuerySet | None = None
) -> AgentSession:
    """The same in the trash, for those who may take it out."""
    rows = AgentSession.objects.all() if sessions is None else sessions
    return _only_one(rows.in_trash_of(user), typed)


def _only_one(sessions: SessionQuerySet, typed: str) -> AgentSession:
    wanted = typed.strip().lower()
    if not (wanted.isascii() and wanted.isalnum() and SHORTEST_PREFIX <= len(wanted) <= ID_LENGTH):
        raise Http404("No such session.")
    found = list(with_id_prefix(sessions, wanted)[: CHOICES_SHOWN + 1])
    if not found:
        raise Http404("No such session.")
    if len(found) > 1:
        raise AmbiguousId(wanted, [session.short_id for session in found])
    return found[0]


def own_session_by_id(user: User, typed: str) -> AgentSession | None:
    """What `session_or_404` answers to owners who give the whole id, and most programs do both.

    By hand, since it stands before every write of theirs.
    """
    if len(typed) != ID_LENGTH:
        return None
    for session in AgentSession.objects.raw(BY_ID, [typed]):
        if session.owner_id == user.pk and session.trashed_at is None:
            return session
    return None


def with_id_prefix(sessions: SessionQuerySet, prefix: str) -> SessionQuerySet:
    """A range instead of LIKE, which would read the whole table on SQLite."""
    return sessions.filter(short_id__gte=prefix, short_id__lte=prefix.ljust(ID_LENGTH, "z"))


def files_of(user: User) -> QuerySet[RawFile]:
    """The files whose fate this person may know: those they collected; staff know all."""
    files = RawFile.objects.all()
    return files if _sees_all(user) else files.filter(collector=user)


def problems_of(user: User) -> QuerySet[IngestProblem]:
    """The same for what could not be read, until it is dismissed."""
    pending = IngestProblem.objects.filter(dismissed_at=None)
    return pending if _sees_all(user) else pending.filter(collector=user)


def _sees_all(user: User) -> bool:
    return user.is_staff or user.is_superuser
