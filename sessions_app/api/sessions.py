"""Sessions: create, list, read, edit, to the trash."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpResponse
from ninja import Header, Query, Router, Schema
from pydantic import Field

from sessions_app.actions.answers import Answer
from sessions_app.actions.create import Wish, create_session
from sessions_app.actions.edit import edit_session, etag
from sessions_app.actions.trash import trash_session
from sessions_app.agents.resume import resume_command
from sessions_app.api.answers import done, told, write
from sessions_app.api.auth import ApiRequest
from sessions_app.api.errors import RequestRefused
from sessions_app.api.fences import fence_of
from sessions_app.api.lookup import own_session, seen_session
from sessions_app.api.messages_in import in_utc
from sessions_app.api.shapes import SessionIn, SessionOut, SessionPage, SessionPatch
from sessions_app.exports.session_json import session_json, sessions_json
from sessions_app.models import AgentSession
from sessions_app.queries.lists import list_sessions as query_sessions

router = Router()

Word = Annotated[str, Field(max_length=200)]


class Filters(Schema):
    """The same filters as everywhere; a value that is given twice means both."""

    q: Word | None = None
    backend: list[str] = Field([], max_length=50)
    status: list[str] = Field([], max_length=50)
    tag: list[str] = Field([], max_length=50)
    tag_mode: Word | None = None
    project: list[str] = Field([], max_length=50)
    owner: list[str] = Field([], max_length=50)
    model: Word | None = None
    workdir: Word | None = None
    host: Word | None = None
    resumable: Word | None = None
    kind: Word | None = None
    since: Word | None = None
    until: Word | None = None
    has: list[str] = Field([], max_length=50)
    sort: Word | None = None
    cursor: Annotated[str, Field(max_length=400)] | None = None
    limit: Word | None = None


def shown(session: AgentSession, request: ApiRequest) -> dict[str, Any]:
    """The session as the person behind the request sees it."""
    return session_json(session, viewer=request.auth.user, resume_command=resume_command)


@router.post("/sessions", response={200: SessionOut, 201: SessionOut}, summary="Create a session")
def create(request: ApiRequest, body: SessionIn) -> HttpResponse:
    """A new session (201), or the one of this `name` or `backend_session_id`, as it is (200)."""
    wish = _wish(body)
    token = request.auth.token
    project = token.project if token else None

    def work(now: datetime) -> Answer:
        made = create_session(wish, by=request.auth.user, now=now, only_project=project)
        data = shown(made.session, request)
        status = 201 if made.is_new else 200
        return done(data, status=status, etag=etag(made.session), session=made.session)

    return write(request, work)


def _wish(body: SessionIn) -> Wish:
    facts = body.model_dump(
        exclude_none=True,
        exclude={
            "name", "backend", "backend_session_id", "visibility", "project", "host",
            "ephemeral", "protected",
        },
    )  # fmt: skip
    return Wish(
        name=body.name,
        backend=body.backend,
        backend_session_id=body.backend_session_id or "",
        facts={**facts, "created_at": in_utc(body.created_at)},
        visibility=body.visibility or "",
        project=body.project or "",
        host=body.host or "",
        is_ephemeral=body.ephemeral,
        is_protected=body.protected,
    )


@router.get("/sessions", response=SessionPage, summary="List sessions")
def list_sessions(request: ApiRequest, filters: Query[Filters]) -> HttpResponse:
    """Newest first unless `sort` says otherwise; `next` of a page is the `cursor` of the next."""
    params = {name: value for name, value in filters.model_dump(exclude_none=True).items() if value}
    page = query_sessions(request.auth.user, params, whole=True, among=request.auth.sessions)
    if page.errors:
        raise RequestRefused(page.errors[0], problems=page.errors)
    items = sessions_json(page.items, viewer=request.auth.user, resume_command=resume_command)
    return told({"items": items, "next": page.next})


@router.get("/sessions/{id}", response=SessionOut, summary="Read a session")
def read(request: ApiRequest, id: str) -> HttpResponse:
    """By id, or by a start of it of four letters or more that only one session has."""
    session = seen_session(request, id)
    return told(shown(session, request), etag=etag(session))


@router.patch("/sessions/{id}", response=SessionOut, summary="Edit a session")
def edit(
    request: ApiRequest,
    id: str,
    body: SessionPatch,
    if_match: Annotated[str | None, Header(alias="If-Match")] = None,
) -> HttpResponse:
    """With the ETag of a read in `If-Match`: 412 when somebody else was faster."""
    session, fence = own_session(request, id), fence_of(request)
    changes = body.model_dump(exclude_unset=True)
    edits = _edits(if_match)

    def work(now: datetime) -> Answer:
        edited = edit_session(
            session, changes, by=request.auth.user, now=now, fence=fence, edits=edits
        )
        return done(shown(edited, request), etag=etag(edited), session=edited)

    return write(request, work)


def _edits(if_match: str | None) -> int | None:
    """The number in the ETag; one that was never ours matches nothing."""
    if if_match is None or if_match.strip() == "*":
        return None
    word = if_match.strip().removeprefix("W/").strip('"')
    return int(word) if word.isascii() and word.isdigit() and len(word) < 19 else -1


@router.delete("/sessions/{id}", response={204: None}, summary="Move a session to the trash")
def delete(request: ApiRequest, id: str) -> HttpResponse:
    """It can be restored for some days. An ephemeral one is gone at once."""
    session, fence = own_session(request, id), fence_of(request)

    def work(now: datetime) -> Answer:
        trash_session(session, by=request.auth.user, now=now, fence=fence)
        return Answer(b"", 204)

    return write(request, work)
