"""Snapshots: an agent's state at a step, and the latest of them that can be gone on from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import msgspec
import zstandard
from django.db.models import QuerySet
from django.db.models.functions import Greatest
from django.http import Http404
from django.utils.translation import gettext_lazy as _

from sessions_app import border, packing
from sessions_app.actions.leases import check_fence, hold_session
from sessions_app.actions.refusals import BadValue, Refused, TooLarge
from sessions_app.actions.statuses import step as step_status
from sessions_app.actions.transaction import write_transaction
from sessions_app.models import AgentSession, Snapshot, User

MAX_PACKED = 16 * 1024 * 1024
MAX_STATE = 128 * 1024 * 1024  # bytes of JSON; what packs that well is no state

COLUMNS = ("at_seq", "at", "received_at", "packed", "sha256", "size", "problem")


class TornSnapshot(Refused):
    """The stored state is not the one that was saved; the message says why."""

    code = "torn_snapshot"


class PackedState(NamedTuple):
    """A state that is ready to be stored: what takes long is done before the transaction."""

    packed: bytes
    sha256: str
    size: int


@dataclass(slots=True)
class Latest:
    """The highest good snapshot, and those above it that are not, with the reason."""

    snapshot: Snapshot | None = None
    state: bytes = b""
    skipped: list[tuple[int, str]] = field(default_factory=list)


def save_snapshot(
    session: AgentSession,
    step: int,
    state: bytes | PackedState,
    *,
    at: datetime | None = None,
    by: User | None = None,
    fence: int | None = None,
    now: datetime,
) -> tuple[Snapshot, bool]:
    """Keep `state` (JSON as it was sent) for the step; (the snapshot, whether it is new).

    The same step again replaces what was kept for it.
    """
    if not 0 <= step <= border.MAX_INT:
        raise BadValue(_("A step is a whole number from 0 to 2^63 - 1."), step=str(step)[:40])
    ready = pack_state(state) if isinstance(state, bytes) else state
    with write_transaction():
        session = hold_session(session)
        check_fence(session, fence, now=now)
        not_trashed(session)
        step_status(session, "work", reason="a snapshot was saved", by=by, now=now)
        snapshot = Snapshot(
            session=session, step=step, at=border.clean_time(at, now=now) or now,
            received_at=now, at_seq=session.last_seq, **ready._asdict(),
        )  # fmt: skip
        is_new = not Snapshot.objects.filter(session=session, step=step).exists()
        Snapshot.objects.bulk_create(
            [snapshot], update_conflicts=True, unique_fields=["session", "step"],
            update_fields=COLUMNS,
        )  # fmt: skip
        touch_session(session, now)
    return snapshot, is_new


def not_trashed(session: AgentSession) -> None:
    """Raises Http404 for a session that went to the trash since it was looked up."""
    if session.trashed_at is not None:
        raise Http404("No such session.")


def touch_session(session: AgentSession, now: datetime) -> None:
    """A write is a sign of life; a live page asks for what has a later revision."""
    AgentSession.objects.filter(pk=session.pk).update(last_active=Greatest("last_active", now))


def pack_state(state: bytes) -> PackedState:
    """The state (JSON as it was sent) as it is stored. Raises BadValue or TooLarge."""
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
    return PackedState(packed, hashlib.sha256(state).hexdigest(), len(state))


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
