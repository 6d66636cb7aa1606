"""Bytes that go out as a file to be saved: no browser shows or runs them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from django.http import FileResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

SEALS = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}
LONGEST_NAME = 150


def download(file: BinaryIO, path: str, *, etag: str, size: int) -> HttpResponseBase:
    """A stored file under the last part of its name."""
    response = FileResponse(file, content_type="application/octet-stream")
    response["Content-Length"] = str(size)
    response["ETag"] = f'"{etag}"'
    return _sealed(response, path)


def stream(blocks: Iterable[bytes], name: str, media_type: str) -> HttpResponseBase:
    """Bytes as they are made."""
    return _sealed(StreamingHttpResponse(blocks, content_type=media_type), name)


def _sealed(response: HttpResponseBase, path: str) -> HttpResponseBase:
    name = "".join(sign if sign.isprintable() else "_" for sign in path)
    name = name.replace("\\", "/").rstrip("/").rpartition("/")[2].strip(". ")
    told = content_disposition_header(True, name[-LONGEST_NAME:] or "file")
    response["Content-Disposition"] = told or "attachment"
    for header, value in SEALS.items():
        response[header] = value
    return response
