"""Answers of writes that came with an Idempotency-Key: kept for a week, told again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.utils.translation import gettext_lazy as _

from sessions_app import packing
from sessions_app.actions.bulk import moments
from sessions_app.actions.refusals import KeyReused
from sessions_app.actions.together import write_together
from sessions_app.actions.transaction import write_transaction
from sessions_app.models import AgentSession, StoredAnswer, User

KEPT = timedelta(days=7)
TABLE = f'"{StoredAnswer._meta.db_table}"'
COLUMNS = "user_id, key, fingerprint, session_id, status, body, etag, created_at"


@dataclass(slots=True)
class Answer:
    """What a write is answered: JSON that is ready to be sent."""

    body: bytes
    status: int = 200
    etag: str = ""
    session: AgentSession | None = None  # whose end ends the stored answer, when it is ephemeral
    is_replay: bool = False


def answer_once(
    work: Callable[[], Answer], *, user: User, key: str, fingerprint: str, now: datetime
) -> Answer:
    """Do `work` and keep its answer in the same transaction, or tell the answer of the first time.

    `work` runs as `write_together` says. Whoever uses the key for something else is refused.
    What was refused is not kept: it changed nothing, and may go well the next time.
    """
    if not key:
        return write_together(work)
    return write_together(lambda: _once(work, user, key, fingerprint, now))


def _once(
    work: Callable[[], Answer], user: User, key: str, fingerprint: str, now: datetime
) -> Answer:
    kept = _told_before(user, key, fingerprint, now)
    if kept is not None:
        return kept
    answer = work()
    _keep(answer, user, key, fingerprint, now)
    return answer


def _told_before(user: User, key: str, fingerprint: str, now: datetime) -> Answer | None:
    """The answer that is kept for this key; nobody else writes one while we are at it.

    In SQL by hand, like `_keep`: on the path of every append the ORM's own work is the most.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM {TABLE} WHERE user_id = %s AND key = %s", [user.pk, key])
        if cursor.fetchone() is None:
            return None
    kept = StoredAnswer.objects.select_related("session").get(user=user, key=key)
    if kept.created_at < now - KEPT:
        kept.delete()
        return None
    if kept.fingerprint != fingerprint:
        raise KeyReused(
            _("This Idempotency-Key was used for another request; take a new one."), key=key
        )
    body = packing.unpack(kept.body)
    return Answer(body, kept.status, kept.etag, kept.session, is_replay=True)


def _keep(answer: Answer, user: User, key: str, fingerprint: str, now: datetime) -> None:
    session = answer.session.pk if answer.session else None
    values = (user.pk, key, fingerprint, session, answer.status, packing.pack(answer.body),
              answer.etag, moments()(now))  # fmt: skip
    marks = ", ".join(["%s"] * len(values))
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} ({COLUMNS}) VALUES ({marks})", values)


def kept_answer(user: User, key: str, fingerprint: str, now: datetime) -> Answer | None:
    """What this very request was answered before, for work that needs transactions of its own."""
    return _told_before(user, key, fingerprint, now) if key else None


def forget_answers(now: datetime) -> int:
    """Delete the answers whose week is over."""
    with write_transaction():
        return StoredAnswer.objects.filter(created_at__lt=now - KEPT).delete()[0]
