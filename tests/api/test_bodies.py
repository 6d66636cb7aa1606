"""Bodies: packed or plain, limited by what they inflate to, and strict JSON."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest
import zstandard

from sessions_app.api import bodies
from sessions_app.api.bodies import read_json
from sessions_app.api.errors import RequestRefused
from tests.api.conftest import Program, code_of, encoded

NEW = {"backend": "claude", "title": "Packed"}
ZSTD = zstandard.ZstdCompressor()


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", gzip.compress(encoded(NEW), mtime=0)),
        ("deflate", zlib.compress(encoded(NEW))),
        ("zstd", ZSTD.compress(encoded(NEW))),
        ("identity", encoded(NEW)),
    ],
)
def test_packed_bodies_are_welcome(encoding: str, data: bytes, owners: Program) -> None:
    answer = owners.post("/sessions", data, Content_Encoding=encoding)
    assert answer.status_code == 201
    assert answer.json()["title"] == "Packed"


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_stops_at_the_limit(encoding: str, owners: Program) -> None:
    plain = b" " * (bodies.MOST_BYTES + 1)
    data = gzip.compress(plain, 9) if encoding == "gzip" else ZSTD.compress(plain)
    assert len(data) < 100_000
    assert code_of(owners.post("/sessions", data, Content_Encoding=encoding), 413) == "too_large"


@pytest.mark.parametrize(
    ("encoding", "data", "status"),
    [
        ("gzip", b"not packed at all", 400),
        ("gzip", gzip.compress(encoded(NEW), mtime=0)[:-12], 400),
        ("zstd", b"not packed at all", 400),
        ("zstd", ZSTD.compress(encoded(NEW) * 1000)[:-9], 400),
        ("br", encoded(NEW), 415),
    ],
)
def test_what_is_packed_badly_is_refused(
    encoding: str, data: bytes, status: int, owners: Program
) -> None:
    code_of(owners.post("/sessions", data, Content_Encoding=encoding), status)
    assert owners.get("/sessions").json()["items"] == []


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1e999}', b'{"a": 1, "a": 2}',
        b"9223372036854775808", b"-9223372036854775809", b"7" * 5000, b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000, b'"\xff"', b'{"a"', b"",
    ],
    ids=lambda data: f"{data[:12]!r}-{len(data)}",
)  # fmt: skip
def test_bad_json_is_refused_cheaply(data: bytes) -> None:
    with pytest.raises(RequestRefused):
        read_json(data)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"9223372036854775807", 2**63 - 1),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'{"a\\ud800": ["\\udfff x", "\\u0000"]}', {"a\ufffd": ["\ufffd x", "\0"]}),
        ("\ufeff[1.5]".encode(), [1.5]),
    ],
)
def test_good_json_is_read(data: bytes, found: object) -> None:
    assert read_json(data) == found


def test_an_unknown_field_is_named(owners: Program) -> None:
    answer = owners.post("/sessions", {"titel": "x"})
    assert code_of(answer, 400) == "invalid"
    assert "titel" in answer.json()["error"]["message"]


def test_the_answer_never_repeats_a_value(owners: Program) -> None:
    answer = owners.post("/sessions", {"progress": "sk-very-secret"})
    assert code_of(answer, 400) == "invalid"
    assert "secret" not in json.dumps(answer.json())
