"""Answers of writes that came with an Idempotency-Key: kept for a week, told again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.utils.translation import gettext_lazy as _

from sessions_app import packing
from sessions_app.actions.refusals import KeyReused
from sessions_app.actions.together import write_together
from sessions_app.actions.transaction import write_transaction
from sessions_app.models import AgentSession, StoredAnswer, User

KEPT = timedelta(days=7)


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
    if not _claim(user, key, fingerprint, now):
        return _told_before(user, key, fingerprint)
    answer = work()
    StoredAnswer.objects.filter(user=user, key=key).update(
        status=answer.status,
        body=packing.pack(answer.body),
        etag=answer.etag,
        session=answer.session,
    )
    return answer


def _claim(user: User, key: str, fingerprint: str, now: datetime) -> bool:
    """Whether the key is ours; another transaction that claims it is waited for."""
    StoredAnswer.objects.filter(user=user, key=key, created_at__lt=now - KEPT).delete()
    row = StoredAnswer(user=user, key=key, fingerprint=fingerprint, created_at=now)
    fields = [field for field in row._meta.concrete_fields if not field.primary_key]
    names = ", ".join(f'"{field.column}"' for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{row._meta.db_table}" ({names}) VALUES ({marks})'
            " ON CONFLICT (user_id, key) DO NOTHING",
            [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields],
        )
        return bool(cursor.rowcount == 1)


def _told_before(user: User, key: str, fingerprint: str) -> Answer:
    kept = StoredAnswer.objects.get(user=user, key=key)
    if kept.fingerprint != fingerprint:
        raise KeyReused(
            _("This Idempotency-Key was used for another request; take a new one."), key=key
        )
    body = packing.unpack(kept.body)
    return Answer(body, kept.status, kept.etag, kept.session, is_replay=True)


def forget_answers(now: datetime) -> int:
    """Delete the answers whose week is over."""
    with write_transaction():
        return StoredAnswer.objects.filter(created_at__lt=now - KEPT).delete()[0]
