"""Artifacts: stored once by their hash, named by words that lead nowhere."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings

from sessions_app.actions.artifacts import (
    artifact_name,
    delete_artifact,
    save_artifact,
    stage_artifact,
)
from sessions_app.actions.leases import Wanted, take_lease
from sessions_app.actions.refusals import BadValue, SessionLocked, TooLarge
from sessions_app.actions.storage import open_stored, put_bytes, stored_path
from sessions_app.actions.stored_files import BytesMissing, sweep, sweep_these
from sessions_app.models import AgentSession, Artifact, StoredFile, User
from tests.factories import NOON, make_session
from tests.faults import fail_everywhere
from tests.invariants import check_stored_files

GOOD = ["report.html", "sub/报告.md", "a/b/c.tar.gz", ".env", "con", "latest", "a b", "%00", "-rf"]
BAD = [
    "", "/etc/passwd", "..", "../x", "a/../b", "a//b", "a/", "./a", "a\\b", "C:/x", "c:", "a\0b",
    "a\nb", "x" * 601, "报" * 300, "\ud800", "a\u202eb", " a", "a/ /b", "a/. ./b/..",
]  # fmt: skip


def keep(session: AgentSession, path: str, data: bytes) -> Artifact:
    return save_artifact(session, stage_artifact(path, [data]), now=NOON)[0]


def make_old(sha256: str) -> None:
    hour_ago = NOON.timestamp() - 7200
    os.utime(stored_path(sha256), (hour_ago, hour_ago))


def files() -> set[str]:
    root = Path(settings.SESSIONS_STORAGE_DIR)
    return {path.name for path in root.rglob("*") if path.is_file()}


@pytest.fixture(autouse=True)
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SESSIONS_STORAGE_DIR", tmp_path / "blobs")


@pytest.mark.parametrize("path", GOOD)
def test_a_name_is_kept_as_it_is(path: str) -> None:
    assert artifact_name(path) == path


@pytest.mark.parametrize("path", BAD)
def test_a_name_that_could_lead_somewhere_is_refused(path: str) -> None:
    with pytest.raises(BadValue):
        artifact_name(path)


def test_two_spellings_are_one_name() -> None:
    text = "résumé.txt"
    twins = {unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)}
    assert len(twins) == 2
    assert len({artifact_name(name) for name in twins}) == 1


def test_the_same_bytes_are_stored_once(owner: User) -> None:
    first, second = make_session(owner), make_session(owner)
    one, two = keep(first, "a.txt", b"same"), keep(second, "b/c.txt", b"same")
    assert one.sha256 == two.sha256 == hashlib.sha256(b"same").hexdigest()
    assert files() == {one.sha256}
    with open_stored(one.sha256) as stored:
        assert stored.read() == b"same"
    check_stored_files()


def test_the_same_name_again_replaces_it(owner: User) -> None:
    session = make_session(owner)
    upload = stage_artifact("a.txt", [b"one", b"", b"two"])
    assert save_artifact(session, upload, now=NOON)[1]
    artifact, is_new = save_artifact(session, stage_artifact("a.txt", []), now=NOON)
    assert (artifact.size, is_new, session.artifacts.count()) == (0, False, 1)


def test_what_is_too_large_leaves_nothing(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sessions_app.actions.artifacts.MAX_ARTIFACT", 5)
    with pytest.raises(TooLarge):
        stage_artifact("a.txt", [b"123", b"456"])
    assert files() == set()


def test_a_session_has_so_many_and_no_more(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sessions_app.actions.artifacts.MOST_ARTIFACTS", 1)
    session = make_session(owner)
    keep(session, "a", b"1")
    keep(session, "a", b"2")
    with pytest.raises(TooLarge):
        keep(session, "b", b"1")


def test_a_lock_guards_them(owner: User) -> None:
    session = make_session(owner)
    artifact = keep(session, "a", b"1")
    lease = take_lease(session, Wanted("agent 1", owner), now=NOON)
    with pytest.raises(SessionLocked):
        keep(session, "a", b"2")
    with pytest.raises(SessionLocked):
        delete_artifact(artifact, now=NOON)
    delete_artifact(artifact, fence=lease.pk, now=NOON)
    assert not session.artifacts.exists()


def test_bytes_go_with_their_last_name(owner: User) -> None:
    session = make_session(owner)
    one, two = keep(session, "a", b"same"), keep(session, "b", b"same")
    make_old(one.sha256)
    delete_artifact(one, now=NOON)
    assert sweep(NOON) == 0
    delete_artifact(two, now=NOON)
    assert sweep(NOON) == 1
    assert files() == set()
    assert not StoredFile.objects.exists()


def test_what_was_stored_just_now_is_not_swept(owner: User) -> None:
    sha256 = put_bytes(b"on its way to a row")
    make_old(sha256)
    assert put_bytes(b"on its way to a row") == sha256  # its age begins anew
    later = NOON + timedelta(days=365)
    assert sweep(NOON) == 0
    assert sweep(later) == 1


def test_a_file_that_was_swept_meanwhile_is_not_named(owner: User) -> None:
    upload = stage_artifact("a", [b"gone"])
    assert sweep_these([upload.sha256], NOON + timedelta(days=365)) == [upload.sha256]
    with pytest.raises(BytesMissing):
        save_artifact(make_session(owner), upload, now=NOON)
    assert not Artifact.objects.exists()
    assert not StoredFile.objects.exists()


def test_cut_off_uploads_are_swept(owner: User) -> None:
    left = Path(settings.SESSIONS_STORAGE_DIR) / ".new-left"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    os.utime(left, (1, 1))
    assert sweep(NOON) == 1
    assert not left.exists()


def test_whatever_fails_a_name_has_its_bytes(owner: User) -> None:
    session = make_session(owner)
    keep(session, "a", b"old")

    def act() -> None:
        keep(session, "a", b"new")
        keep(session, "b/c", b"more")

    assert fail_everywhere(act, check_stored_files) > 8
    assert {item.path: item.size for item in session.artifacts.all()} == {"a": 3, "b/c": 4}
