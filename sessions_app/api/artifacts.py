"""Artifacts: files of a session, streamed in and out, and never shown by a browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Router, Schema

from sessions_app.actions.answers import Answer
from sessions_app.actions.artifacts import (
    artifact_name,
    delete_artifact,
    save_artifact,
    stage_artifact,
)
from sessions_app.actions.record.saved import MAX_ARTIFACT
from sessions_app.actions.storage import BLOCK, open_stored
from sessions_app.api import bodies
from sessions_app.api.answers import done, told, write
from sessions_app.api.auth import ApiRequest
from sessions_app.api.downloads import download
from sessions_app.api.fences import fence_of
from sessions_app.api.lookup import own_session, seen_session
from sessions_app.exports.session_json import moment_json
from sessions_app.models import AgentSession, Artifact

router = Router()


class ArtifactOut(Schema):
    """A file of a session; its bytes are known by their SHA-256."""

    path: str
    size: int
    sha256: str
    received_at: str


class ArtifactList(Schema):
    """All files of a session, by name."""

    items: list[ArtifactOut]
    next: None


BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
UPLOAD = {"requestBody": {"required": True, "description": "The bytes.", "content": BYTES}}
FILE = {"responses": {200: {"description": "The bytes, to be saved.", "content": BYTES}}}


@router.put(
    "/sessions/{id}/artifacts/{path:path}",
    response={200: ArtifactOut, 201: ArtifactOut},
    summary="Store a file",
    openapi_extra=UPLOAD,
)
def save(request: ApiRequest, id: str, path: str) -> HttpResponse:
    """New is 201; a name that is there gets the new bytes (200). Up to 512 MiB."""
    session, fence = own_session(request, id), fence_of(request)
    bodies.allow(request, MAX_ARTIFACT)
    upload = stage_artifact(path, blocks_of(request))

    def work(now: datetime) -> Answer:
        artifact, is_new = save_artifact(session, upload, fence=fence, now=now)
        return done(_facts(artifact), status=201 if is_new else 200, session=session)

    return write(request, work, fingerprint=upload.sha256)


def blocks_of(request: HttpRequest) -> Iterator[bytes]:
    """The plain body, block by block: it never stands in memory as a whole."""
    while block := request.read(BLOCK):
        yield block


@router.get("/sessions/{id}/artifacts", response=ArtifactList, summary="List files")
def list_artifacts(request: ApiRequest, id: str) -> HttpResponse:
    """By name."""
    rows = Artifact.objects.filter(session=seen_session(request, id)).order_by("path")
    return told({"items": [_facts(row) for row in rows], "next": None})


@router.get("/sessions/{id}/artifacts/{path:path}", summary="Download a file", openapi_extra=FILE)
def read(request: ApiRequest, id: str, path: str) -> HttpResponseBase:
    """Always an attachment that no browser runs, whatever is in it."""
    artifact = _find(seen_session(request, id), path)
    try:
        file = open_stored(artifact.sha256)
    except FileNotFoundError as error:
        raise Http404("The stored file is missing.") from error
    return download(file, artifact.path, etag=artifact.sha256, size=artifact.size)


@router.delete(
    "/sessions/{id}/artifacts/{path:path}", response={204: None}, summary="Delete a file"
)
def delete(request: ApiRequest, id: str, path: str) -> HttpResponse:
    """The name is gone at once, the bytes with the last name that they have."""
    session, fence = own_session(request, id), fence_of(request)
    artifact = _find(session, path)

    def work(now: datetime) -> Answer:
        delete_artifact(artifact, fence=fence, now=now)
        return Answer(b"", 204)

    return write(request, work)


def _find(session: AgentSession, path: str) -> Artifact:
    """By the name as it is, for those from files, or as an upload would have it."""
    rows = Artifact.objects.filter(session=session)
    found = None
    if "\0" not in path and path.isprintable():
        found = rows.filter(path=path).first()
    found = found or rows.filter(path=artifact_name(path)).first()
    if found is None:
        raise Http404("No such artifact.")
    return found


def _facts(artifact: Artifact) -> dict[str, Any]:
    return {
        "path": artifact.path,
        "size": artifact.size,
        "sha256": artifact.sha256,
        "received_at": moment_json(artifact.received_at),
    }
