"""Merge: several sessions become a new one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from django.http import HttpResponse
from ninja import Router
from pydantic import ConfigDict, Field

from sessions_app.actions.answers import Answer
from sessions_app.actions.edit import etag
from sessions_app.actions.merge import MOST_SOURCES, merge_sessions
from sessions_app.actions.trash import trash_session
from sessions_app.api.answers import done, write
from sessions_app.api.auth import ApiRequest
from sessions_app.api.lookup import own_session, seen_session
from sessions_app.api.sessions import shown
from sessions_app.api.shapes import SessionOut, Strict
from sessions_app.models import AgentSession

router = Router()

Id = Annotated[str, Field(min_length=4, max_length=12)]


class MergeIn(Strict):
    """What to merge, and how."""

    ids: Annotated[list[Id], Field(min_length=2, max_length=MOST_SOURCES)]
    description: Annotated[str, Field(max_length=20_000)] = ""
    order: Literal["time", "sequence"] = "time"
    sources: Literal["keep", "trash"] = Field(
        "keep", description="What becomes of the sessions: nothing, or they go to the trash."
    )

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "ids": ["k3f9w2m7q4ab", "7r2qd0vhx9nc"], "description": "Both halves of the job",
                "order": "time",
            }
        }
    )  # fmt: skip


@router.post("/sessions/merge", response={201: SessionOut}, summary="Merge sessions")
def merge(request: ApiRequest, body: MergeIn) -> HttpResponse:
    """A new session with each message once and the places it came from; usage is only linked."""
    sessions = [_source(request, typed, body.sources) for typed in body.ids]

    def work(now: datetime) -> Answer:
        merged = merge_sessions(
            sessions, by=request.auth.user, description=body.description, order=body.order, now=now
        )
        for session in sessions if body.sources == "trash" else ():
            trash_session(session, by=request.auth.user, now=now)
        return done(shown(merged, request), status=201, etag=etag(merged), session=merged)

    return write(request, work)


def _source(request: ApiRequest, typed: str, then: str) -> AgentSession:
    """Who may read a session may merge it; to put it into the trash takes more."""
    return own_session(request, typed) if then == "trash" else seen_session(request, typed)
