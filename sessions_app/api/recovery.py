"""Going on: recover a session whose agent died, or fork one at a message."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from django.http import HttpResponse
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from sessions_app.actions.answers import Answer
from sessions_app.actions.edit import etag
from sessions_app.actions.fork import fork_session
from sessions_app.actions.lease_waiting import try_until_free
from sessions_app.actions.leases import USUAL_TTL, Wanted
from sessions_app.actions.recover import Recovery, recover_session
from sessions_app.api.answers import done, write
from sessions_app.api.auth import ApiRequest
from sessions_app.api.fences import fence_of
from sessions_app.api.leases import LockOut, Ttl, Wait, lease_json
from sessions_app.api.lookup import own_session, seen_session
from sessions_app.api.message_shapes import MessageOut
from sessions_app.api.messages import read_stored
from sessions_app.api.sessions import shown
from sessions_app.api.shapes import Count, Name, SessionOut, Strict
from sessions_app.api.snapshots import Skipped, SnapshotOut, snapshot_facts
from sessions_app.exports.message_json import call_json, message_json
from sessions_app.queries.conversation import dangling_calls, read_after

router = Router()

MOST_MESSAGES = 1000


class RecoverIn(Strict):
    """With `holder` the lock is taken at once: of two who recover, one is refused."""

    holder: Name | None = None
    ttl: Ttl = USUAL_TTL
    wait: Wait = 0

    model_config = ConfigDict(json_schema_extra={"example": {"holder": "ci-8", "ttl": 60}})


class Dangling(Schema):
    """A call of a tool that never got a result: whether it was done is not known."""

    seq: int
    type: Literal["tool_use"]
    id: str
    name: str
    input: Any


class Recovered(Schema):
    """Enough to go on: load the state, look at what came after it, and at open calls."""

    session: SessionOut
    was: str = Field(description="Its status before.")
    snapshot: SnapshotOut | None = Field(description="The highest good step.")
    skipped: list[Skipped] = Field(description="Higher steps that are torn.")
    messages: list[MessageOut] = Field(description="Those that came after the snapshot.")
    next: int | None = Field(description="`after` for the rest of them, when there are more.")
    dangling_tool_calls: list[Dangling]
    lock: LockOut | None


class ForkIn(Strict):
    """Where to part, and what to say next."""

    at_seq: Annotated[Count | None, Field(description="The last that both have; else all.")] = None
    prompt: Annotated[str, Field(max_length=100_000)] = ""

    model_config = ConfigDict(
        json_schema_extra={"example": {"at_seq": 2, "prompt": "Try it without the cache."}}
    )


@router.post("/sessions/{id}/recover", response=Recovered, summary="Recover a session")
def recover(request: ApiRequest, id: str, body: RecoverIn | None = None) -> HttpResponse:
    """Again it answers the same: nothing is lost when the answer does not arrive."""
    session, fence, asked = own_session(request, id), fence_of(request), body or RecoverIn()
    user = request.auth.user
    wanted = Wanted(asked.holder, user, ttl=asked.ttl) if asked.holder else None

    def work(now: datetime) -> Answer:
        found = recover_session(session, wanted=wanted, fence=fence, by=user, now=now)
        return done(_told(found, request), etag=etag(found.session), session=session)

    if wanted is None:
        return write(request, work)
    return try_until_free(session, wanted, asked.wait, lambda: write(request, work))


def _told(found: Recovery, request: ApiRequest) -> dict[str, Any]:
    session, latest = found.session, found.latest
    messages = read_after(session, found.after_seq, MOST_MESSAGES)
    last = messages[-1].row.seq if messages else session.last_seq
    snapshot = None
    if latest.snapshot is not None:
        snapshot = {**snapshot_facts(latest.snapshot), "state": msgspec.Raw(latest.state)}
    return {
        "session": shown(session, request),
        "was": found.was,
        "snapshot": snapshot,
        "skipped": [{"step": step, "problem": problem} for step, problem in latest.skipped],
        "messages": [message_json(item, read_stored) for item in messages],
        "next": last if last < session.last_seq else None,
        "dangling_tool_calls": [
            {"seq": call.message.seq, **call_json(call)} for call in dangling_calls(session)
        ],
        "lock": lease_json(found.lease) if found.lease else None,
    }


@router.post("/sessions/{id}/fork", response={201: SessionOut}, summary="Fork a session")
def fork(request: ApiRequest, id: str, body: ForkIn | None = None) -> HttpResponse:
    """A new session of yours that begins with a copy of this one, which does not change."""
    parent, asked = seen_session(request, id), body or ForkIn()

    def work(now: datetime) -> Answer:
        child = fork_session(
            parent, at_seq=asked.at_seq, prompt=asked.prompt, by=request.auth.user, now=now
        )
        return done(shown(child, request), status=201, etag=etag(child), session=child)

    return write(request, work)
