"""Raw push: an agent's own bytes from another machine, piece by piece, read by our readers."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Any

from django.http import HttpResponse
from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from sessions_app.actions.answers import Answer
from sessions_app.api import bodies
from sessions_app.api.answers import done, replay, told, write
from sessions_app.api.artifacts import blocks_of
from sessions_app.api.auth import ApiRequest
from sessions_app.api.shapes import MOST
from sessions_app.exports.session_json import moment_json
from sessions_app.ingest.archive.staged import scratch_file
from sessions_app.ingest.push import Push, Pushed, push_file
from sessions_app.ingest.spool import place_of
from sessions_app.models import AgentSession, PushedFile

router = Router()

MOST_BYTES = 64 * 1024 * 1024  # of one request; a longer file comes in several
PAGE = 1000
BODY = {
    "requestBody": {
        "required": True,
        "description": "The bytes from `offset` on, up to 64 MiB unpacked.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
Word = Annotated[str, Field(min_length=1, max_length=200)]
FilePath = Annotated[str, Field(min_length=1, max_length=2000)]


class Place(Schema):
    """Which bytes of which file these are."""

    source: Word = Field(description="claude-code, codex, gemini ...")
    host: Word = Field(description="The machine that the file lies on.")
    path: FilePath = Field(description="There: below the home (`~/...`) or from the root.")
    generation: Annotated[int, Field(ge=1, le=MOST)] = Field(
        1, description="One more each time that the file was rewritten instead of appended to."
    )
    offset: Annotated[int, Field(ge=0, le=MOST)] = 0
    head: Annotated[str, Field(pattern="^([0-9a-fA-F]{64})?$")] = Field(
        "", description="SHA-256 of the file's first bytes: as many as `offset`, at most 4096."
    )
    size: Annotated[int, Field(ge=0, le=MOST)] | None = Field(
        None, description="How long the file is; it is read once so many bytes are here."
    )


class FileOut(Schema):
    """How far a file has come; the next bytes go to `size`."""

    source: str
    host: str
    path: str
    generation: int
    size: int
    head: str
    received_at: str


class Progress(FileOut):
    """And what reading it brought."""

    sessions: list[str]
    messages: int
    problems: int


class FileList(Schema):
    """The files of a machine; `next` goes into `cursor`."""

    items: list[FileOut]
    next: int | None


@router.put("/ingest/files", response=Progress, summary="Send bytes of a file", openapi_extra=BODY)
def push(request: ApiRequest, place: Query[Place]) -> HttpResponse:
    """Append where the file ends here. 409 says where that is; the same bytes again are fine."""
    bodies.allow(request, MOST_BYTES)
    user, token = request.auth.user, request.auth.token
    there = place_of(user.pk, source=place.source, host=place.host, path=place.path)
    wish = Push(there, place.generation, place.offset, place.head, place.size)
    with scratch_file() as body:
        total = hashlib.sha256()
        for block in blocks_of(request):
            total.update(block)
            body.write(block)
        body.seek(0)
        if (before := replay(request, total.hexdigest())) is not None:
            return before
        project = token.project if token else None
        pushed = push_file(wish, body, by=user, now=timezone.now(), project=project)

    def work(now: datetime) -> Answer:
        return done(_progress(pushed))

    return write(request, work, fingerprint=total.hexdigest())


@router.get("/ingest/files", response=FileList, summary="Ask how far files have come")
def list_files(
    request: ApiRequest,
    host: Annotated[str, Query(min_length=1, max_length=200)],
    source: Annotated[str | None, Query(max_length=32)] = None,
    cursor: Annotated[int, Query(ge=0, le=MOST)] = 0,
) -> HttpResponse:
    """Those that you sent yourself: a sender then sends only what is new."""
    rows = PushedFile.objects.filter(collector=request.auth.user, host=host, pk__gt=cursor)
    if source is not None:
        rows = rows.filter(source=source)
    found = list(rows.order_by("pk")[: PAGE + 1])
    more = found[PAGE - 1].pk if len(found) > PAGE else None
    return told({"items": [_facts(row) for row in found[:PAGE]], "next": more})


def _progress(pushed: Pushed) -> dict[str, Any]:
    touched = pushed.report.created | pushed.report.updated
    ids = AgentSession.objects.filter(pk__in=touched).order_by("pk")
    return {
        **_facts(pushed.file),
        "sessions": list(ids.values_list("short_id", flat=True)),
        "messages": pushed.report.messages,
        "problems": pushed.report.problem_count,
    }


def _facts(row: PushedFile) -> dict[str, Any]:
    return {
        "source": row.source,
        "host": row.host,
        "path": row.path,
        "generation": row.generation,
        "size": row.size,
        "head": row.head_sha256,
        "received_at": moment_json(row.received_at),
    }
