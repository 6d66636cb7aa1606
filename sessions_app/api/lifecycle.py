"""The life of a session: heartbeat, pause, complete, fail, crash, resume; protection, restoring."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.conf import settings
from django.http import HttpResponse
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from sessions_app.actions.answers import Answer
from sessions_app.actions.edit import etag
from sessions_app.actions.heartbeat import Beat, hear
from sessions_app.actions.keeping import protect_session, restore_session
from sessions_app.actions.leases import USUAL_TTL
from sessions_app.actions.statuses import OVER, change_status
from sessions_app.api.answers import done, write
from sessions_app.api.auth import ApiRequest
from sessions_app.api.errors import RequestRefused
from sessions_app.api.fences import fence_of
from sessions_app.api.leases import Fence, LockOut, Ttl, lease_json
from sessions_app.api.lookup import own_session, trashed_session
from sessions_app.api.sessions import shown
from sessions_app.api.shapes import Count, Line, SessionOut, Strict

router = Router()


class BeatIn(Strict):
    """What the agent is doing; what is not told stays as it was."""

    progress: Annotated[float, Field(ge=0, le=1)] | None = None
    current_task: Line | None = None
    total_steps: Count | None = None
    fence: Annotated[Fence | None, Field(description="Of the lock to renew; or X-Fence.")] = None
    ttl: Ttl = USUAL_TTL

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"progress": 0.45, "current_task": "run the tests", "total_steps": 100}
        }
    )


class Heard(Schema):
    """`revived`: the session was thought crashed and is active again."""

    id: str
    status: str
    revived: bool
    again_within: int = Field(description="Seconds; after three silences it counts as crashed.")
    lock: LockOut | None


class WhyIn(Strict):
    """Why, in a few words, for the history."""

    reason: Annotated[str, Field(max_length=300)] = ""

    model_config = ConfigDict(json_schema_extra={"example": {"reason": "lunch"}})


class EndIn(WhyIn):
    """How it ended."""

    exit_code: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None
    error: Annotated[str, Field(max_length=20_000)] = ""

    model_config = ConfigDict(json_schema_extra={"example": {"reason": "all done", "exit_code": 0}})


ENDED = {200: SessionOut, 204: None}


@router.post("/sessions/{id}/heartbeat", response=Heard, summary="Say that the agent lives")
def heartbeat(request: ApiRequest, id: str, body: BeatIn | None = None) -> HttpResponse:
    """Renews the lock that it names, and brings a session back that was thought crashed."""
    session, said = own_session(request, id), body or BeatIn()
    fence = fence_of(request)
    if None not in (fence, said.fence) and fence != said.fence:
        raise RequestRefused("X-Fence and the body name two locks.")
    beat = Beat(
        said.progress, said.current_task, said.total_steps, fence or said.fence, said.ttl
    )  # fmt: skip

    def work(now: datetime) -> Answer:
        heard = hear(session, beat, by=request.auth.user, now=now)
        data: dict[str, Any] = {
            "id": heard.session.short_id,
            "status": str(heard.session.status),
            "revived": heard.revived,
            "again_within": settings.SESSIONS_HEARTBEAT_SECONDS,
            "lock": lease_json(heard.lease) if heard.lease else None,
        }
        return done(data, session=session)

    return write(request, work)


@router.post("/sessions/{id}/pause", response=SessionOut, summary="Pause a session")
def pause(request: ApiRequest, id: str, body: WhyIn | None = None) -> HttpResponse:
    """Nothing is expected of its agent until it goes on."""
    return _change(request, id, "pause", EndIn(reason=body.reason if body else ""))


@router.post("/sessions/{id}/complete", response=ENDED, summary="Complete a session")
def complete(request: ApiRequest, id: str, body: EndIn | None = None) -> HttpResponse:
    """It ended well. An ephemeral session is gone then (204)."""
    return _change(request, id, "complete", body)


@router.post("/sessions/{id}/fail", response=ENDED, summary="End a session with an error")
def fail(request: ApiRequest, id: str, body: EndIn | None = None) -> HttpResponse:
    """It ended badly: `error` says how. An ephemeral session is gone then (204)."""
    return _change(request, id, "fail", body)


@router.post("/sessions/{id}/crash", response=ENDED, summary="Mark a session as crashed")
def crash(request: ApiRequest, id: str, body: EndIn | None = None) -> HttpResponse:
    """Its agent is known to be dead. An ephemeral session is gone then (204)."""
    return _change(request, id, "crash", body)


@router.post("/sessions/{id}/resume", response=SessionOut, summary="Resume a session")
def resume(request: ApiRequest, id: str, body: WhyIn | None = None) -> HttpResponse:
    """Active again, also when it had ended."""
    return _change(request, id, "resume", EndIn(reason=body.reason if body else ""))


@router.post("/sessions/{id}/protect", response=SessionOut, summary="Protect from cleaning")
def protect(request: ApiRequest, id: str) -> HttpResponse:
    """It is neither cleaned nor moved to the trash until the protection is taken off."""
    return _protect(request, id, True)


@router.post("/sessions/{id}/unprotect", response=SessionOut, summary="Take the protection off")
def unprotect(request: ApiRequest, id: str) -> HttpResponse:
    """It may be cleaned again."""
    return _protect(request, id, False)


@router.post("/sessions/{id}/restore", response=SessionOut, summary="Restore from the trash")
def restore(request: ApiRequest, id: str) -> HttpResponse:
    """As it was; 409 when another session has its name now."""
    session = trashed_session(request, id)

    def work(now: datetime) -> Answer:
        back = restore_session(session, by=request.auth.user, now=now)
        return done(shown(back, request), etag=etag(back), session=back)

    return write(request, work)


def _change(request: ApiRequest, id: str, verb: str, body: EndIn | None) -> HttpResponse:
    session, fence, told = own_session(request, id), fence_of(request), body or EndIn()

    def work(now: datetime) -> Answer:
        changed = change_status(
            session, verb, by=request.auth.user, now=now, fence=fence,
            reason=told.reason, error=told.error, exit_code=told.exit_code,
        )  # fmt: skip
        if changed.is_ephemeral and changed.status in OVER:
            return Answer(b"", 204)
        return done(shown(changed, request), etag=etag(changed), session=changed)

    return write(request, work)


def _protect(request: ApiRequest, id: str, on: bool) -> HttpResponse:
    session, fence = own_session(request, id), fence_of(request)

    def work(now: datetime) -> Answer:
        kept = protect_session(session, on, fence=fence, by=request.auth.user, now=now)
        return done(shown(kept, request), etag=etag(kept), session=kept)

    return write(request, work)
