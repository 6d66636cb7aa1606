"""Bodies of requests: inflated with a limit, and JSON that is refused before it can do harm.

`open_body` puts an inflating, counting stream in the place of the request's own, so that
`request.body` and `request.read(n)` give plain bytes and stop at the limit. A view that
streams, or takes more, calls `allow(request, limit)` first.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from typing import Any, BinaryIO, NoReturn, Protocol, cast

import zstandard
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, UnreadablePostError
from ninja.parser import Parser

from sessions_app.api.errors import RequestRefused, TooLarge, WrongEncoding

MOST_BYTES = 32 * 1024 * 1024  # of an inflated JSON body
BLOCK = 64 * 1024
HALF = re.compile(rb"\\u[dD][89a-fA-F]")  # an escaped half of a character, alone or not
MOST_DIGITS = 20  # of an integer: 2**63 has 19


class Inflater(Protocol):
    """What zlib and zstd have in common."""

    @property
    def eof(self) -> bool: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class BodyStream:
    """The plain bytes of a body, at most `limit` of them."""

    def __init__(self, raw: BinaryIO, encoding: str, limit: int) -> None:
        self.raw, self.limit, self.count = raw, limit, 0
        self.source = _inflated(raw, encoding)

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(BLOCK), b""))
        data = self.source.read(size)
        self.count += len(data)
        if self.count > self.limit:
            raise TooLarge(f"The body is larger than {self.limit} bytes.", limit=self.limit)
        return data


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class GzipStream:
    """Inflates as much as is asked for, and no more: a bomb stops at the limit."""

    def __init__(self, raw: BinaryIO) -> None:
        self.raw = raw
        self.inflater = zlib.decompressobj(wbits=47)  # gzip or zlib, by its head
        self.is_empty = True

    def read(self, size: int, /) -> bytes:
        while size > 0 and not self.inflater.eof:
            data = self.inflater.unconsumed_tail or self.raw.read(BLOCK)
            if not data:
                if self.is_empty:
                    return b""
                raise RequestRefused("The compressed body ends too early.")
            self.is_empty = False
            try:
                plain = self.inflater.decompress(data, size)
            except zlib.error as error:
                raise RequestRefused("The body is not what its Content-Encoding says.") from error
            if plain:
                return plain
        return b""


class ZstdStream:
    """The same for zstd."""

    def __init__(self, raw: BinaryIO) -> None:
        inflater = zstandard.ZstdDecompressor(max_window_size=2**27)
        self.reader = inflater.stream_reader(raw, read_size=BLOCK)

    def read(self, size: int, /) -> bytes:
        try:
            return self.reader.read(size)
        except zstandard.ZstdError as error:
            raise RequestRefused("The body is not what its Content-Encoding says.") from error


def _inflated(raw: BinaryIO, encoding: str) -> Readable:
    if encoding in ("", "identity"):
        return raw
    if encoding in ("gzip", "x-gzip", "deflate"):
        return GzipStream(raw)
    if encoding == "zstd":
        return ZstdStream(raw)
    raise WrongEncoding("Content-Encoding is gzip, zstd or nothing.")


class PlainRequest(WSGIRequest):
    """A request whose body is plain and has our limit, not the one for forms of pages."""

    @property
    def body(self) -> bytes:
        if not hasattr(self, "_body"):
            try:
                self._body = self.read()
            except OSError as error:
                raise UnreadablePostError(*error.args) from error
        return self._body


def open_body(request: HttpRequest) -> None:
    """Let the rest of the request see the plain body."""
    encoding = request.META.pop("HTTP_CONTENT_ENCODING", "").strip().lower()
    raw = getattr(request, "_stream", None)
    if not isinstance(request, WSGIRequest) or isinstance(raw, BodyStream):
        return
    request.__class__ = PlainRequest
    stream = BodyStream(cast(BinaryIO, raw), encoding, MOST_BYTES)
    request._stream = cast(BinaryIO, stream)


def allow(request: HttpRequest, limit: int) -> None:
    """Set another limit on the inflated bytes of this request."""
    stream = getattr(request, "_stream", None)
    if isinstance(stream, BodyStream):
        stream.limit = limit


class JsonParser(Parser):
    """Strict JSON for ninja: see `read_json`."""

    def parse_body(self, request: HttpRequest) -> Any:
        return read_json(request.body)


def read_json(data: bytes) -> Any:
    """Decode JSON strictly: UTF-8, no NaN, no key twice, no endless number, no abyss.

    Half a character becomes U+FFFD, as everywhere at the border: tools print such things.
    """
    try:
        found = json.loads(
            data.decode("utf-8-sig"),
            parse_constant=_no_constant, parse_int=_integer, parse_float=_float,
            object_pairs_hook=_object,
        )  # fmt: skip
        return _without_halves(found) if HALF.search(data) else found
    except RecursionError as error:
        raise RequestRefused("The JSON is nested too deeply.") from error
    except UnicodeDecodeError as error:
        raise RequestRefused("The body is not UTF-8.") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise RequestRefused(f"The body is not JSON: {error.msg} ({place}).") from error


def _without_halves(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_halves(item) for item in value]
    if isinstance(value, dict):
        return {_without_halves(key): _without_halves(item) for key, item in value.items()}
    return value


def _no_constant(name: str) -> NoReturn:
    raise RequestRefused(f"{name} is not JSON; send null.")


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS or not -(2**63) <= (number := int(digits)) < 2**63:
        raise RequestRefused(f"{digits[:24]} is beyond 64 bits.")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise RequestRefused(f"{digits[:24]} is beyond what a number can be.")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise RequestRefused(f"The key “{twice[:100]}” stands twice in one object.")
    return found
