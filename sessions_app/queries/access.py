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
    wanted = typed.strip().lower()
    if not (wanted.isascii() and wanted.isalnum() and SHORTEST_PREFIX <= len(wanted) <= ID_LENGTH):
        raise Http404("No such session.")
    visible = (AgentSession.objects.all() if sessions is None else sessions).visible_to(user)
    found = list(with_id_prefix(visible, wanted)[: CHOICES_SHOWN + 1])
    if not found:
        raise Http404("No such session.")
    if len(found) > 1:
        raise AmbiguousId(wanted, [session.short_id for session in found])
    return found[0]


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
