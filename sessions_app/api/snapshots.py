"""Snapshots: an agent's state at a step."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from django.http import Http404, HttpResponse
from ninja import Path, Router, Schema

from sessions_app.actions.answers import Answer
from sessions_app.actions.snapshots import (
    MAX_STATE,
    latest_snapshot,
    pack_state,
    read_state,
    save_snapshot,
)
from sessions_app.api import bodies
from sessions_app.api.answers import done, told, write
from sessions_app.api.auth import ApiRequest
from sessions_app.api.errors import RequestRefused
from sessions_app.api.fences import fence_of
from sessions_app.api.lookup import own_session, seen_session
from sessions_app.api.messages_in import in_utc
from sessions_app.api.shapes import MOST, Moment
from sessions_app.exports.session_json import moment_json
from sessions_app.models import AgentSession, Snapshot

router = Router()

ROOM = 1024  # bytes around the state
ENVELOPE = {"state", "at", "step", "timestamp"}
Step = Annotated[int, Path(ge=0, le=MOST, description="A whole number from 0 on.")]


class SnapshotIn(Schema):
    """The state at a step, and when it was so."""

    state: Any
    at: Moment | None = None


class SnapshotFacts(Schema):
    """A snapshot without its state; with a `problem` it cannot be gone on from."""

    step: int
    at: str | None
    size: int
    sha256: str | None
    at_seq: int | None
    problem: str | None


class Skipped(Schema):
    """A higher step that is torn, and how."""

    step: int
    problem: str


class SnapshotOut(SnapshotFacts):
    """A snapshot with its state, byte for byte as it was sent."""

    state: Any


class LatestOut(SnapshotOut):
    """The highest good step, and the torn ones above it."""

    skipped: list[Skipped]


class SnapshotList(Schema):
    """All snapshots of a session, by step; the latest good one has the step `latest`."""

    items: list[SnapshotFacts]
    latest: int | None
    next: None


BODY = {
    "requestBody": {
        "required": True,
        "description": "Any JSON. An object with `state`, and nothing but `at` beside it, is "
        "taken apart; every other value is the state itself. Up to 16 MB once compressed.",
        "content": {
            "application/json": {
                "schema": {},
                "example": {
                    "state": {"done": 45, "todo": ["parser"]},
                    "at": "2026-11-21T12:00:00Z",
                },
            }
        },
    }
}


# Before the steps: its address would be one of them otherwise.
@router.get("/sessions/{id}/snapshots/latest", response=LatestOut, summary="The latest good one")
def read_latest(request: ApiRequest, id: str) -> HttpResponse:
    """The highest step by number whose state is whole; torn ones above it are named."""
    latest = latest_snapshot(seen_session(request, id))
    if latest.snapshot is None:
        raise Http404("This session has no good snapshot.")
    skipped = [{"step": step, "problem": problem} for step, problem in latest.skipped]
    return told(
        {**snapshot_facts(latest.snapshot), "state": msgspec.Raw(latest.state), "skipped": skipped}
    )


@router.put(
    "/sessions/{id}/snapshots/{step}",
    response={200: SnapshotFacts, 201: SnapshotFacts},
    summary="Save a snapshot",
    openapi_extra=BODY,
)
def save(request: ApiRequest, id: str, step: Step) -> HttpResponse:
    """New is 201; the same step again replaces its state (200)."""
    session, fence = own_session(request, id), fence_of(request)
    bodies.allow(request, MAX_STATE + ROOM)
    state, at = _taken_apart(request.body)
    packed = pack_state(state)

    def work(now: datetime) -> Answer:
        snapshot, is_new = save_snapshot(
            session, step, packed, at=at, by=request.auth.user, fence=fence, now=now
        )
        return done(snapshot_facts(snapshot), status=201 if is_new else 200, session=session)

    return write(request, work)


class _Envelope(msgspec.Struct):
    state: msgspec.Raw
    at: datetime | None = None


def _taken_apart(body: bytes) -> tuple[bytes, datetime | None]:
    """(state, time) of a body. The state stays as it was written, whatever is in it."""
    try:
        names = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body, None  # no object; or no JSON, which is refused when it is packed
    if "state" not in names or not names.keys() <= ENVELOPE:
        return body, None
    try:
        told = msgspec.json.decode(body, type=_Envelope)
    except msgspec.MsgspecError as error:
        raise RequestRefused(f"The snapshot is not as it must be: {error}.") from error
    return bytes(told.state), in_utc(told.at)


@router.get("/sessions/{id}/snapshots", response=SnapshotList, summary="List snapshots")
def list_snapshots(request: ApiRequest, id: str) -> HttpResponse:
    """By step, without their states."""
    session = seen_session(request, id)
    rows = Snapshot.objects.filter(session=session).defer("packed").order_by("step")
    latest = latest_snapshot(session)
    torn = dict(latest.skipped)
    items = [
        {**snapshot_facts(row), "problem": torn.get(row.step) or row.problem or None}
        for row in rows
    ]
    found = latest.snapshot
    return told({"items": items, "latest": found.step if found else None, "next": None})


@router.get("/sessions/{id}/snapshots/{step}", response=SnapshotOut, summary="Read a snapshot")
def read(request: ApiRequest, id: str, step: Step) -> HttpResponse:
    """One step; 409 with the reason when its state is torn."""
    session: AgentSession = seen_session(request, id)
    snapshot = Snapshot.objects.filter(session=session, step=step).first()
    if snapshot is None:
        raise Http404("No such snapshot.")
    return told({**snapshot_facts(snapshot), "state": msgspec.Raw(read_state(snapshot))})


def snapshot_facts(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "step": snapshot.step,
        "at": moment_json(snapshot.at),
        "size": snapshot.size,
        "sha256": snapshot.sha256 or None,
        "at_seq": snapshot.at_seq,
        "problem": snapshot.problem or None,
    }
