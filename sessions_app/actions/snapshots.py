"""Snapshots: an agent's state at a step, and the latest of them that can be gone on from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import zstandard
from django.db.models import QuerySet
from django.db.models.functions import Greatest
from django.utils.translation import gettext as _

from sessions_app import border, packing
from sessions_app.actions.leases import check_fence, hold_session
from sessions_app.actions.refusals import BadValue, SessionClosed, TooLarge
from sessions_app.actions.transaction import write_transaction
from sessions_app.models import AgentSession, Snapshot

MAX_PACKED = 16 * 1024 * 1024
MAX_STATE = 128 * 1024 * 1024  # bytes of JSON; what packs that well is no state

ENDED = (AgentSession.Status.COMPLETED, AgentSession.Status.ERROR)
COLUMNS = ("at_seq", "at", "received_at", "packed", "sha256", "size", "problem")


class TornSnapshot(Exception):
    """The stored state is not the one that was saved; the message says why."""


@dataclass(slots=True)
class Latest:
    """The highest good snapshot, and those above it that are not, with the reason."""

    snapshot: Snapshot | None = None
    state: bytes = b""
    skipped: list[tuple[int, str]] = field(default_factory=list)


def save_snapshot(
    session: AgentSession,
    step: int,
    state: bytes,
    *,
    at: datetime | None = None,
    fence: int | None = None,
    now: datetime,
) -> tuple[Snapshot, bool]:
    """Keep `state` (JSON as it was sent) for the step; (the snapshot, whether it is new).

    The same step again replaces what was kept for it.
    """
    if not 0 <= step <= border.MAX_INT:
        raise BadValue(_("A step is a whole number from 0 to 2^63 - 1."), step=str(step)[:40])
    packed = _packed(state)
    with write_transaction():
        session = hold_session(session)
        check_fence(session, fence, now=now)
        if session.status in ENDED:
            raise SessionClosed(_("The session has ended: resume it first."), status=session.status)
        snapshot = Snapshot(
            session=session, step=step, at_seq=session.last_seq,
            at=border.clean_time(at, now=now) or now,
            received_at=now, packed=packed, sha256=hashlib.sha256(state).hexdigest(),
            size=len(state),
        )  # fmt: skip
        is_new = not Snapshot.objects.filter(session=session, step=step).exists()
        Snapshot.objects.bulk_create(
            [snapshot], update_conflicts=True, unique_fields=["session", "step"],
            update_fields=COLUMNS,
        )  # fmt: skip
        touch_session(session, now)
    return snapshot, is_new


def touch_session(session: AgentSession, now: datetime) -> None:
    """A write is a sign of life; a live page asks for what has a later revision."""
    AgentSession.objects.filter(pk=session.pk).update(last_active=Greatest("last_active", now))


def _packed(state: bytes) -> bytes:
    if len(state) > MAX_STATE:
        raise TooLarge(_("The state is too large."), size=len(state), limit=MAX_STATE)
    try:
        state.decode()
        msgspec.json.decode(state, type=msgspec.Raw)
    except UnicodeDecodeError as error:
        raise BadValue(_("The state is not UTF-8.")) from error
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadValue(_("The state is not JSON."), reason=str(error)[:200]) from error
    packed = packing.pack(state)
    if len(packed) > MAX_PACKED:
        raise TooLarge(_("The state is too large."), packed=len(packed), limit=MAX_PACKED)
    return packed


def read_state(snapshot: Snapshot) -> bytes:
    """The state as JSON. Raises TornSnapshot when it is not whole."""
    if snapshot.packed is None:
        raise TornSnapshot(snapshot.problem or "no state in it")
    try:
        state = packing.unpack(snapshot.packed)
    except zstandard.ZstdError as error:
        raise TornSnapshot("the stored bytes are damaged") from error
    if snapshot.sha256 and hashlib.sha256(state).hexdigest() != snapshot.sha256:
        raise TornSnapshot("its hash does not fit")
    if len(state) != snapshot.size:
        raise TornSnapshot(f"{len(state)} bytes instead of {snapshot.size}")
    return state


def latest_snapshot(session: AgentSession) -> Latest:
    """The highest step whose state is whole; those above it are named."""
    latest = Latest()
    for snapshot in _downwards(session):
        try:
            latest.state = read_state(snapshot)
        except TornSnapshot as error:
            latest.skipped.append((snapshot.step, str(error)))
            continue
        latest.snapshot = snapshot
        break
    return latest


def _downwards(session: AgentSession) -> Iterator[Snapshot]:
    """One at a time: a state may be large, and mostly the first one is whole."""
    rows: QuerySet[Snapshot] = Snapshot.objects.filter(session=session).order_by("-step")
    snapshot = rows.first()
    while snapshot is not None:
        yield snapshot
        snapshot = rows.filter(step__lt=snapshot.step).first()
