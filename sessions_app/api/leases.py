"""Locks: take, hold on, give back, and see who has them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from django.http import HttpResponse
from django.utils import timezone
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from sessions_app.actions.answers import Answer
from sessions_app.actions.lease_waiting import LONGEST_WAIT, USUAL_WAIT, try_until_free
from sessions_app.actions.leases import (
    LONGEST_TTL,
    USUAL_TTL,
    Wanted,
    release_lease,
    renew_lease,
    take_lease,
)
from sessions_app.api.answers import done, told, write
from sessions_app.api.auth import ApiRequest
from sessions_app.api.errors import RequestRefused
from sessions_app.api.fences import fence_of
from sessions_app.api.lookup import own_session, seen_session
from sessions_app.api.shapes import MOST, Name, Strict
from sessions_app.exports.session_json import moment_json
from sessions_app.models import SessionLease

router = Router()

Ttl = Annotated[float, Field(ge=0.1, le=LONGEST_TTL, description="Seconds that it lasts.")]
Wait = Annotated[
    float, Field(ge=0, le=LONGEST_WAIT, description="Seconds to wait while somebody has it.")
]
Fence = Annotated[int, Field(ge=1, le=MOST)]


class LockIn(Strict):
    """Who wants the lock, and how. The same holder again gets a new number."""

    holder: Name
    mode: Literal["exclusive", "shared"] = "exclusive"
    ttl: Ttl = USUAL_TTL
    wait: Wait = USUAL_WAIT

    model_config = ConfigDict(
        json_schema_extra={"example": {"holder": "ci-7", "mode": "exclusive", "ttl": 60, "wait": 5}}
    )


class RenewIn(Strict):
    """How much longer; the number may come here instead of in `X-Fence`."""

    ttl: Ttl = USUAL_TTL
    fence: Fence | None = None

    model_config = ConfigDict(json_schema_extra={"example": {"ttl": 60, "fence": 17}})


class ReleaseIn(Strict):
    """The number, where it does not come in `X-Fence`."""

    fence: Fence | None = None

    model_config = ConfigDict(json_schema_extra={"example": {"fence": 17}})


class LockOut(Schema):
    """A lock: send `fence` as `X-Fence` with every write."""

    fence: int
    holder: str
    mode: Literal["exclusive", "shared"]
    expires_at: str


class Holder(Schema):
    """Who has a lock."""

    holder: str
    mode: Literal["exclusive", "shared"]
    acquired_at: str
    expires_at: str


class Holders(Schema):
    """All who have it now."""

    items: list[Holder]
    next: None


def lease_json(lease: SessionLease) -> dict[str, Any]:
    """As taking, renewing and recovering answer it."""
    return {
        "fence": lease.fence,
        "holder": lease.holder,
        "mode": str(lease.mode),
        "expires_at": moment_json(lease.expires_at),
    }


@router.post("/sessions/{id}/lock", response=LockOut, summary="Take the lock")
def take(request: ApiRequest, id: str, body: LockIn) -> HttpResponse:
    """423 with holder and expiry when somebody still has it after `wait` seconds."""
    session = own_session(request, id)
    wanted = Wanted(body.holder, request.auth.user, body.mode, body.ttl)

    def work(now: datetime) -> Answer:
        # Others wrote before us: the time of the request may be long ago.
        lease = take_lease(session, wanted, now=max(now, datetime.now(UTC)))
        return done(lease_json(lease), session=session)

    return try_until_free(session, wanted, body.wait, lambda: write(request, work))


@router.put("/sessions/{id}/lock", response=LockOut, summary="Keep the lock longer")
def renew(request: ApiRequest, id: str, body: RenewIn | None = None) -> HttpResponse:
    """From now on for `ttl` seconds; 409 when it is over."""
    session, asked = own_session(request, id), body or RenewIn()
    fence = named_fence(request, asked.fence)

    def work(now: datetime) -> Answer:
        lease = renew_lease(session, fence, ttl=asked.ttl, now=now)
        return done(lease_json(lease), session=session)

    return write(request, work)


@router.delete("/sessions/{id}/lock", response={204: None}, summary="Give the lock back")
def release(request: ApiRequest, id: str, body: ReleaseIn | None = None) -> HttpResponse:
    """409 when it is over already."""
    session = own_session(request, id)
    fence = named_fence(request, body.fence if body else None)

    def work(now: datetime) -> Answer:
        release_lease(session, fence)
        return Answer(b"", 204, session=session)

    return write(request, work)


@router.get("/sessions/{id}/lock", response=Holders, summary="Who has the lock?")
def holders(request: ApiRequest, id: str) -> HttpResponse:
    """One who writes, or some who read; nobody = an empty list. Numbers are not told."""
    session = seen_session(request, id)
    leases = SessionLease.objects.live(timezone.now()).filter(session=session).order_by("pk")
    items = [
        {
            "holder": lease.holder,
            "mode": str(lease.mode),
            "acquired_at": moment_json(lease.acquired_at),
            "expires_at": moment_json(lease.expires_at),
        }
        for lease in leases
    ]
    return told({"items": items, "next": None})


def named_fence(request: ApiRequest, told_in_body: int | None) -> int:
    """The number from the header or the body; it must be there, and once."""
    fence = fence_of(request)
    if fence is not None and told_in_body not in (None, fence):
        raise RequestRefused("X-Fence and the body name two locks.")
    fence = told_in_body if fence is None else fence
    if fence is None:
        raise RequestRefused("Name the lock: the header X-Fence, or “fence” in the body.")
    return fence
