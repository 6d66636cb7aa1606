"""Tags."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpResponse
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from sessions_app.actions.answers import Answer
from sessions_app.actions.edit import etag
from sessions_app.actions.tagging import change_tags
from sessions_app.api.answers import done, told, write
from sessions_app.api.auth import ApiRequest
from sessions_app.api.fences import fence_of
from sessions_app.api.lookup import own_session
from sessions_app.api.shapes import Strict, Tag
from sessions_app.queries.tags import count_tags

router = Router()


class TagsIn(Strict):
    """Some tags."""

    tags: Annotated[list[Tag], Field(min_length=1, max_length=100)]

    model_config = ConfigDict(json_schema_extra={"example": {"tags": ["auth", "nightly"]}})


class TagsOut(Schema):
    """The tags of the session, in order of name."""

    tags: list[str]


class Counted(Schema):
    """A tag and how many sessions that you may see have it."""

    tag: str
    sessions: int


class TagList(Schema):
    """All tags of what you may see."""

    items: list[Counted]
    next: None


@router.post("/sessions/{id}/tags", response=TagsOut, summary="Add tags")
def add(request: ApiRequest, id: str, body: TagsIn) -> HttpResponse:
    """Those that it has stay."""
    return _change(request, id, add=body.tags)


@router.delete("/sessions/{id}/tags", response=TagsOut, summary="Remove tags")
def remove(request: ApiRequest, id: str, body: TagsIn) -> HttpResponse:
    """Those that it does not have are no error."""
    return _change(request, id, remove=body.tags)


def _change(request: ApiRequest, id: str, **change: list[str]) -> HttpResponse:
    session, fence = own_session(request, id), fence_of(request)

    def work(now: datetime) -> Answer:
        changed = change_tags(session, by=request.auth.user, now=now, fence=fence, **change)
        tags = sorted(changed.tag_links.values_list("tag__name", flat=True))
        return done({"tags": tags}, etag=etag(changed), session=changed)

    return write(request, work)


@router.get("/tags", response=TagList, summary="List tags")
def list_tags(request: ApiRequest) -> HttpResponse:
    """The most used first."""
    found = count_tags(request.auth.user, request.auth.sessions)
    items: list[dict[str, Any]] = [{"tag": name, "sessions": count} for name, count in found]
    return told({"items": items, "next": None})
