"""Stored files: each once, by the hash of its bytes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from sessions_app.actions.storage import open_stored, put_bytes, put_file, stored_path


@pytest.fixture(autouse=True)
def store(tmp_path: Path, settings: Any) -> Path:
    settings.SESSIONS_STORAGE_DIR = tmp_path / "blobs"
    return tmp_path / "blobs"


def test_bytes_are_stored_once(store: Path) -> None:
    first = put_bytes(b"hello")
    inode = stored_path(first).stat().st_ino
    assert put_bytes(b"hello") == first == hashlib.sha256(b"hello").hexdigest()
    assert stored_path(first).stat().st_ino == inode
    with open_stored(first) as file:
        assert file.read() == b"hello"
    assert [path.name for path in store.rglob("*") if path.is_file()] == [first]


def test_a_file_is_copied_block_by_block(store: Path, tmp_path: Path) -> None:
    data = os.urandom(3 * 1024 * 1024 + 7)
    source = tmp_path / "source"
    source.write_bytes(data)
    for _ in range(2):
        assert put_file(source, len(data)) == (hashlib.sha256(data).hexdigest(), len(data))
    with pytest.raises(ValueError, match="longer than"):
        put_file(source, len(data) - 1)
    assert len([path for path in store.rglob("*") if path.is_file()]) == 1


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "device", "missing"])
def test_only_plain_files_are_copied(store: Path, tmp_path: Path, kind: str) -> None:
    source = Path("/dev/zero") if kind == "device" else tmp_path / kind
    if kind == "folder":
        source.mkdir()
    elif kind == "pipe":
        os.mkfifo(source)
    elif kind == "link":
        source.symlink_to("/etc/hostname")
    with pytest.raises((OSError, ValueError)):
        put_file(source, 1000)
    assert not [path for path in store.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["", "..", "a" * 63, "A" * 64, "../" + "a" * 61, "a" * 65])
def test_names_from_outside_never_become_paths(name: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        stored_path(name)
    with pytest.raises(FileNotFoundError):
        open_stored("0" * 64)
