"""Archives out and in: a session with everything that it has, as one zip."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, BinaryIO, Literal

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from ninja import Query, Router, Schema

from sessions_app.actions.answers import Answer
from sessions_app.api import bodies
from sessions_app.api.answers import done, write
from sessions_app.api.artifacts import BYTES, blocks_of
from sessions_app.api.auth import ApiRequest
from sessions_app.api.downloads import stream
from sessions_app.api.lookup import seen_session
from sessions_app.exports.archive import archive, content_digest
from sessions_app.ingest.archive.load import Wish, load_archive
from sessions_app.ingest.archive.staged import scratch_file, stage_archive

router = Router()

MOST_PACKED = 1024 * 1024 * 1024
ZIP = {"application/zip": {"schema": {"type": "string", "format": "binary"}}}
FILE = {"responses": {200: {"description": "The archive.", "content": {**ZIP, **BYTES}}}}
UPLOAD = {"requestBody": {"required": True, "description": "The archive.", "content": ZIP}}


class ImportedOut(Schema):
    """One session of the archive: `unchanged` when all of it was there already."""

    id: str
    archive_id: str
    status: Literal["created", "unchanged"]
    messages: int
    problems: int


class ImportOut(Schema):
    """What became of the sessions, and the entries that belong to none."""

    items: list[ImportedOut]
    ignored: list[str]


@router.get("/sessions/{id}/export", summary="Export a session", openapi_extra=FILE)
def export(
    request: ApiRequest, id: str, form: Annotated[Literal["zip"], Query(alias="as")] = "zip"
) -> HttpResponseBase:
    """A zip in the layout of session folders, with a manifest; made while it is sent."""
    session = seen_session(request, id)
    return stream(archive([session]), f"{session.short_id}.zip", "application/zip")


@router.post("/import", response=ImportOut, summary="Import an archive", openapi_extra=UPLOAD)
def import_archive(request: ApiRequest) -> HttpResponse:
    """The body is a zip. New ids where needed; nothing is written over; again changes nothing."""
    bodies.allow(request, MOST_PACKED)
    token = request.auth.token
    with scratch_file() as file:
        fingerprint = _receive(request, file)
        staged = stage_archive(file, f"import:{fingerprint[:12]}")

        def work(now: datetime) -> Answer:
            wish = Wish(request.auth.user, now, content_digest, token.project if token else None)
            items = [
                {
                    "id": item.session.short_id,
                    "archive_id": item.archive_id,
                    "status": "created" if item.is_new else "unchanged",
                    "messages": item.messages,
                    "problems": item.problems,
                }
                for item in load_archive(staged, wish)
            ]
            return done({"items": items, "ignored": staged.ignored[:1000]})

        return write(request, work, fingerprint=fingerprint)


def _receive(request: ApiRequest, file: BinaryIO) -> str:
    """The body on the disk, and its SHA-256."""
    total = hashlib.sha256()
    for block in blocks_of(request):
        total.update(block)
        file.write(block)
    file.seek(0)
    return total.hexdigest()
