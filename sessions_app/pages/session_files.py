"""Bytes that a session brought: images, artifacts, the agent's own file. Never trusted."""

from __future__ import annotations

from django.http import (
    FileResponse,
    Http404,
    HttpResponse,
    HttpResponseBase,
    StreamingHttpResponse,
)
from django.utils.cache import patch_cache_control
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from sessions_app.actions.storage import open_stored
from sessions_app.agents.places import home_folders
from sessions_app.exports.native import native
from sessions_app.exports.native_zip import zipped
from sessions_app.models import AgentSession, Artifact, Attachment
from sessions_app.pages.markup.characters import label
from sessions_app.pages.render import PageRequest
from sessions_app.queries.access import session_or_404
from sessions_app.queries.raw_files import with_subagents

POLICY = "sandbox; default-src 'none'"
YEAR = 365 * 24 * 3600
LONGEST_NAME = 150
ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}


@require_safe
def attachment(request: PageRequest, short_id: str, pk: int) -> HttpResponseBase:
    """An image of a message; what is no image by its first bytes is only offered to save."""
    session = session_or_404(request.user, short_id)
    found = Attachment.objects.filter(pk=pk, message__session=session).first()
    if found is None:
        raise Http404("No such attachment.")
    media_type = image_type(found.sha256)
    name = f"{session.short_id}-{found.pk}.{ENDINGS.get(media_type, 'bin')}"
    response = _stored(found.sha256, name, media_type)
    patch_cache_control(response, private=True, max_age=YEAR, immutable=True)
    return response


@require_safe
def artifact(request: PageRequest, short_id: str, pk: int) -> HttpResponseBase:
    """A file of a session, always to be saved."""
    session = session_or_404(request.user, short_id)
    found = Artifact.objects.filter(pk=pk, session=session).first()
    if found is None:
        raise Http404("No such artifact.")
    return _stored(found.sha256, found.path, "")


@require_safe
def native_file(request: PageRequest, short_id: str) -> HttpResponseBase:
    """The agent's own file as it was read; of several (sub-agents, small files) a ZIP."""
    session = session_or_404(request.user, short_id)
    files = native(with_subagents([session], request.user), home_folders()).files
    if not files:
        raise Http404("No file of this session is kept.")
    if len(files) == 1:
        name = files[0].parts[-1]
        content = StreamingHttpResponse(files[0].content(), content_type="application/octet-stream")
        content["Content-Disposition"] = content_disposition_header(True, safe_name(name)) or ""
        return sealed(content)
    return sealed(
        FileResponse(zipped(files), as_attachment=True, filename=f"{session.short_id}-native.zip")
    )


def text_download(text: str, session: AgentSession, name: str) -> HttpResponseBase:
    """All of a text, as a file."""
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{session.short_id}-{name}"'
    return sealed(response)


def image_type(sha256: str) -> str:
    """The kind of image that the first bytes are, or nothing (also for missing bytes)."""
    try:
        with open_stored(sha256) as file:
            head = file.read(16)
    except FileNotFoundError:
        return ""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else ""


def safe_name(path: str) -> str:
    """The last part of a path as a file name that neither misleads nor leaves a folder."""
    name = label(path).replace("\\", "/").rstrip("/").rpartition("/")[2]
    return name.strip(". ")[-LONGEST_NAME:] or "file"


def sealed(response: HttpResponseBase) -> HttpResponseBase:
    """A response that no browser runs, whatever is in it."""
    response["Content-Security-Policy"] = POLICY
    response["X-Content-Type-Options"] = "nosniff"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _stored(sha256: str, name: str, media_type: str) -> HttpResponseBase:
    try:
        file = open_stored(sha256)
    except FileNotFoundError as error:
        raise Http404("The stored file is missing.") from error
    return sealed(
        FileResponse(
            file,
            as_attachment=not media_type,
            filename=safe_name(name),
            content_type=media_type or "application/octet-stream",
        )
    )
