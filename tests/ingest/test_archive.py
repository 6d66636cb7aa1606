"""Archives: everything goes out and comes back, and nothing that is hostile comes in."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from sessions_app.actions.artifacts import save_artifact, stage_artifact
from sessions_app.actions.refusals import Refused, TooLarge
from sessions_app.actions.snapshots import latest_snapshot, save_snapshot
from sessions_app.actions.statuses import change_status
from sessions_app.exports.archive import archive, content_digest
from sessions_app.ingest.archive.checked import BadArchive
from sessions_app.ingest.archive.load import Imported, Wish, load_archive
from sessions_app.ingest.archive.staged import scratch_folder, stage_archive
from sessions_app.ingest.run import Wish as IngestWish
from sessions_app.ingest.run import ingest
from sessions_app.models import (
    AgentSession,
    Artifact,
    IngestProblem,
    Message,
    Snapshot,
    Usage,
    User,
)
from tests.dump import all_rows
from tests.factories import NOON, make_session, tag
from tests.faults import fail_everywhere
from tests.ingest.talks import Talk
from tests.invariants import check_invariants

SAMPLES = Path(__file__).parent.parent / "agents" / "samples"
METADATA = {
    "id": "bbbb0006", "created_at": "2026-02-01T09:00:00", "last_active": "2026-02-01T10:00:00",
    "status": "active", "work_dir": "/home/dev/app", "model": "kimi-k2", "total_steps": 12,
    "tags": ["auth"], "description": "重构", "progress": 0.45,
}  # fmt: skip
MESSAGES = "".join(
    json.dumps({
        "role": ("user", "assistant")[number % 2], "content": f"消息 {number}",
        "timestamp": f"2026-02-01T09:0{number}:00", "metadata": {},
    }) + "\n"
    for number in range(3)
)  # fmt: skip
GOOD: dict[str, str | bytes] = {
    "bbbb0006/metadata.json": json.dumps(METADATA),
    "bbbb0006/messages.jsonl": MESSAGES,
    "bbbb0006/snapshots/step_2.json": '{"step": 2, "state": {"done": 2}}',
    "bbbb0006/artifacts/output.txt": "ok\n",
}


@pytest.fixture(autouse=True)
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SESSIONS_STORAGE_DIR", tmp_path / "blobs")


def zipped(entries: dict[str, str | bytes], **options: Any) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, **options) as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return out.getvalue()


def export(*sessions: AgentSession) -> bytes:
    return b"".join(archive(sessions))


def take_in(data: bytes, user: User) -> list[Imported]:
    staged = stage_archive(io.BytesIO(data), "test.zip")
    return load_archive(staged, Wish(user, datetime.now(UTC), content_digest))


def content(data: bytes) -> dict[str, Any]:
    """Everything in an archive but its ids."""
    file = zipfile.ZipFile(io.BytesIO(data))
    found: dict[str, Any] = {}
    for name in file.namelist():
        _folder, _, inner = name.partition("/")
        if inner == "metadata.json":
            facts = json.loads(file.read(name))
            facts.pop("id")
            found.setdefault(inner, []).append(facts)
        elif inner:
            found.setdefault(inner, []).append(file.read(name))
    return found


def is_clean() -> bool:
    return not list(scratch_folder().iterdir())


@pytest.fixture
def full(owner: User, tmp_path: Path) -> AgentSession:
    """A session with everything that a session can have."""
    talk = Talk("11111111").turns(2).calls("call-1").turns(1)
    talk.write(tmp_path)
    ingest(IngestWish(owner=owner, home=tmp_path, paths=[tmp_path], jobs=0))
    session = change_status(AgentSession.objects.get(), "resume", by=owner, now=NOON)
    session.name, session.title, session.visibility = "nightly", "A title", "everyone"
    session.metadata = {"n": 1, "deep": {"a": [1, None]}}
    session.progress, session.total_steps, session.exit_code = 0.5, 100, 3
    session.save()
    tag(session, "auth", "重构")
    for step, state in ((2, '{"n": 1.50}'), (10, "[123456789012345678901234567890]")):
        save_snapshot(session, step, state.encode(), now=NOON)
    Snapshot.objects.create(session=session, step=11, received_at=NOON, problem="torn")
    for path, data in (("out/报告.md", b"# r"), ("empty", b""), ("same", b"# r")):
        save_artifact(session, stage_artifact(path, [data]), now=NOON)
    odd = stage_artifact("plain", [b"odd"])
    Artifact.objects.create(
        session=session, path="..\\odd\u202e", sha256=odd.sha256, size=3, received_at=NOON
    )
    save_artifact(session, odd, now=NOON)
    session.refresh_from_db()
    return session


def test_everything_comes_back_for_somebody_else(full: AgentSession, teammate: User) -> None:
    first = export(full)
    [done] = take_in(first, teammate)
    copy = AgentSession.objects.get(pk=done.session.pk)
    assert (done.is_new, copy.owner, copy.source) == (True, teammate, "import")
    assert copy.short_id != full.short_id
    assert content(export(copy)) == content(first)
    assert content_digest(copy) == content_digest(full)
    assert (copy.total_tokens, copy.inherited_tokens) == (full.total_tokens, full.total_tokens)
    assert Usage.objects.filter(session=copy).count() == 0
    assert latest_snapshot(copy).state == b"[123456789012345678901234567890]"
    assert latest_snapshot(copy).skipped == [(11, "torn")]
    assert {item.path for item in copy.artifacts.all()} == {
        item.path for item in full.artifacts.all()
    }
    check_invariants()


def test_on_another_instance_it_keeps_its_id(full: AgentSession, owner: User) -> None:
    data, short_id = export(full), full.short_id
    Usage.objects.all().delete()
    full.delete()
    [done] = take_in(data, owner)
    assert done.session.short_id == short_id
    assert done.session.name == "nightly"
    assert export(done.session) == data
    check_invariants()


def test_coming_back_changes_nothing(full: AgentSession, owner: User, teammate: User) -> None:
    data = export(full)
    [mine] = take_in(data, owner)
    assert (mine.is_new, mine.session) == (False, full)
    [theirs] = take_in(data, teammate)
    before = all_rows()
    [again] = take_in(data, teammate)
    assert (again.is_new, again.session) == (False, theirs.session)
    assert all_rows() == before


def test_nothing_is_written_over(full: AgentSession, owner: User) -> None:
    data = export(full)
    Message.objects.filter(session=full, seq=1).update(text="changed since")
    before = all_rows()
    [done] = take_in(data, owner)
    assert done.is_new and done.session != full
    assert take_in(data, owner)[0].session == done.session
    after = all_rows()
    assert set(before["Message"]) < set(after["Message"])
    assert set(before["Snapshot"]) < set(after["Snapshot"])
    full.refresh_from_db()
    assert full.name == "nightly"
    check_invariants()


def test_what_is_in_the_trash_comes_back_beside_it(full: AgentSession, owner: User) -> None:
    data = export(full)
    AgentSession.objects.update(trashed_at=NOON)
    [done] = take_in(data, owner)
    assert done.is_new and done.session.trashed_at is None


def test_many_sessions_in_one_archive(owner: User, teammate: User) -> None:
    ingest(IngestWish(
        owner=owner, home=Path("/nowhere"),
        paths=[SAMPLES / name for name in ("codex", "claude", "kimi", "gemini")], jobs=0,
    ))  # fmt: skip
    sessions = list(AgentSession.objects.order_by("pk"))
    assert len(sessions) > 10
    data = export(*sessions)
    done = take_in(data, teammate)
    assert all(item.is_new for item in done)
    check_invariants()
    copies = {item.archive_id: item.session for item in done}
    for session in sessions:
        one, two = content(export(session)), content(export(copies[session.short_id]))
        assert one.keys() == two.keys(), session.identity
        for name in one:
            assert one[name] == two[name], (session.source, session.identity, name)


def test_a_foreign_folder_is_read_like_a_folder(owner: User) -> None:
    [done] = take_in(zipped(GOOD), owner)
    session = done.session
    assert (session.message_count, session.snapshots.count(), session.artifacts.count()) == (
        3,
        1,
        1,
    )
    assert (session.backend, session.status, session.description) == ("kimi", "crashed", "重构")
    assert [item.text for item in session.messages.order_by("seq")] == [
        "消息 0",
        "消息 1",
        "消息 2",
    ]
    assert take_in(zipped(GOOD), owner)[0].session == session
    assert AgentSession.objects.count() == 1
    assert is_clean()
    check_invariants()


def test_at_the_top_of_the_archive_is_fine_too(owner: User) -> None:
    flat = {name.partition("/")[2]: data for name, data in GOOD.items()}
    [done] = take_in(zipped({**flat, "README": "hello"}), owner)
    assert done.session.message_count == 3


# K5
@pytest.mark.parametrize("sample", ["store/home", "torn-snapshot/files", "broken-facts/files"])
def test_a_session_folder_leaves_byte_for_byte(owner: User, teammate: User, sample: str) -> None:
    folder = SAMPLES / "sessions-dir" / sample
    ingest(IngestWish(owner=owner, home=Path("/nowhere"), paths=[folder], jobs=0))
    for session in AgentSession.objects.filter(owner=owner):
        [here] = [path for path in folder.rglob(session.identity) if path.is_dir()]
        data = export(session)
        file = zipfile.ZipFile(io.BytesIO(data))
        there = {name.partition("/")[2]: file.read(name) for name in file.namelist()}
        for path in here.rglob("*"):
            name = path.relative_to(here).as_posix()
            if path.is_file() and name not in ("metadata.json", ".lock"):
                assert there[name] == path.read_bytes(), name
        assert take_in(data, owner)[0].session == session
        [done] = take_in(data, teammate)
        again = content(export(done.session))["metadata.json"][0]
        first = content(data)["metadata.json"][0]
        assert again | {"original": True} == first | {"original": True}
        rows = [
            list(one.messages.order_by("seq").values_list("key", "role", "text", "at"))
            for one in (session, done.session)
        ]
        assert rows[0] == rows[1]
        assert latest_snapshot(session).skipped == latest_snapshot(done.session).skipped
    check_invariants()


def test_the_sum_of_a_folder_is_its_own(owner: User, teammate: User) -> None:
    def folder(name: str, tokens: int) -> bytes:
        facts = json.dumps({**METADATA, "id": name, "total_tokens": tokens})
        return zipped({f"{name}/metadata.json": facts, f"{name}/messages.jsonl": MESSAGES})

    for name, tokens in (("one", 100), ("two", 70)):
        assert take_in(folder(name, tokens), owner)[0].session.total_tokens == tokens
    forged = take_in(folder("one", 999_999), teammate)[0].session
    assert forged.total_tokens == 999_999
    mine = AgentSession.objects.get(owner=owner, identity="one")
    assert mine.total_tokens == 100
    check_invariants()


def test_a_bad_line_costs_itself(owner: User, full: AgentSession) -> None:
    bad = {**GOOD, "bbbb0006/messages.jsonl": "{torn\n" + MESSAGES + "[]\n"}
    bad["bbbb0006/snapshots/step_9.json"] = '{"step": 9, "sta'
    [done] = take_in(zipped(bad), owner)
    assert done.session.message_count == 3
    told = IngestProblem.objects.filter(session=done.session)
    assert {(item.path.rpartition("/")[2], item.line) for item in told} == {
        ("messages.jsonl", 1), ("messages.jsonl", 5), ("step_9.json", 0),
    }  # fmt: skip
    assert all(item.path.startswith("test.zip:bbbb0006/") for item in told)
    assert latest_snapshot(done.session).skipped


def changed(data: bytes, name: str, new: bytes | None) -> bytes:
    """An archive of ours with one entry changed or left out."""
    file = zipfile.ZipFile(io.BytesIO(data))
    entries: dict[str, str | bytes] = {}
    for entry in file.namelist():
        if not entry.endswith(name):
            entries[entry] = file.read(entry)
        elif new is not None:
            entries[entry] = new
    return zipped(entries)


@pytest.mark.parametrize("name", ["messages.jsonl", "step_2.json", "empty", "metadata.json"])
@pytest.mark.parametrize("new", [b"{}", None])
def test_what_does_not_fit_the_manifest_is_refused(
    full: AgentSession, teammate: User, name: str, new: bytes | None
) -> None:
    data = changed(export(full), name, new)
    before = all_rows()
    with pytest.raises(BadArchive):
        take_in(data, teammate)
    assert all_rows() == before


def link(name: str, mode: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for good, data in GOOD.items():
            file.writestr(good, data)
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        file.writestr(info, "../../etc/passwd")
    return out.getvalue()


def twice(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for good, data in GOOD.items():
            file.writestr(good, data)
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr(name, "again")
    return out.getvalue()


def overlapping() -> bytes:
    """Many entries of the list that all point to the same bytes."""
    data = zipped({f"s/artifacts/q{number:03}": b"\0" * 1000 for number in range(50)})
    out = bytearray(data)
    at = data.index(b"PK\x01\x02")
    while at >= 0:
        out[at + 42 : at + 46] = struct.pack("<L", 0)
        at = data.find(b"PK\x01\x02", at + 4)
    return bytes(out)


def lying(size: int) -> bytes:
    """An entry that says it is smaller than it is."""
    data = zipped({**GOOD, "bbbb0006/artifacts/big": b"a" * 5_000_000})
    out = bytearray(data)
    at = data.rindex(b"PK\x01\x02")
    out[at + 24 : at + 28] = struct.pack("<L", size)
    return bytes(out)


SLIPS = ["../outside.txt", "bbbb0006/artifacts/../../x", "/etc/passwd", "a\\..\\b", "C:/x", "a\nb"]


@pytest.mark.parametrize(
    "data",
    [
        *[zipped({**GOOD, name: "x"}) for name in SLIPS],
        link("bbbb0006/artifacts/l", 0o120777),
        link("bbbb0006/artifacts/d", 0o060666),
        twice("bbbb0006/metadata.json"),
        overlapping(),
        lying(10),
        zipped(GOOD)[:300],
        zipped(GOOD)[40:],
        b"", b"PK", b"not a zip" * 100,
        zipped({}), zipped({"README": "nothing here"}),
        zipped({**GOOD, "bbbb0006/artifacts/ré": "1", "bbbb0006/artifacts/re\u0301": "2"}),
    ],
)  # fmt: skip
def test_what_is_hostile_or_broken_is_refused_whole(owner: User, data: bytes) -> None:
    with pytest.raises(BadArchive):
        take_in(data, owner)
    assert not AgentSession.objects.exists()
    assert is_clean()


def test_a_bomb_is_stopped_before_it_is_unpacked(owner: User) -> None:
    bomb = zipped({**GOOD, "bbbb0006/artifacts/zeros": b"\0" * (70 * 1024 * 1024)})
    assert len(bomb) < 100_000
    with pytest.raises(TooLarge):
        take_in(bomb, owner)
    assert not (Path(settings.SESSIONS_STORAGE_DIR)).exists()


def test_too_many_entries_are_refused(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    data = zipped({**GOOD, **{f"x/{number}": "" for number in range(200)}})
    for name, limit in (("MOST_ENTRIES", 100), ("MOST_DIRECTORY", 5000)):
        with monkeypatch.context() as patch:
            patch.setattr(f"sessions_app.ingest.archive.checked.{name}", limit)
            with pytest.raises(TooLarge):
                take_in(data, owner)


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_archive_never_does_worse_than_be_refused(
    full: AgentSession, teammate: User, seed: int
) -> None:
    data = bytearray(export(full))
    for number in range(3):
        data[(seed * 7919 + number * 104729) % len(data)] ^= 1 << (seed % 8)
    try:
        take_in(bytes(data), teammate)
    except Refused:
        assert not AgentSession.objects.filter(owner=teammate).exists()
    assert is_clean()


def test_nobody_can_make_others_pay(full: AgentSession, teammate: User) -> None:
    """A forged response under a known key changes no number of the one who has it."""
    file = zipfile.ZipFile(io.BytesIO(export(full)))
    entries = {
        name: file.read(name).replace(b'"input":10', b'"input":99999')
        for name in file.namelist() if not name.startswith("manifest")
    }  # fmt: skip
    manifest = {"format": "agent-sessions", "version": 1, "files": {}}
    before = all_rows()["Usage"]
    [done] = take_in(zipped({**entries, "manifest.json": json.dumps(manifest)}), teammate)
    assert done.is_new
    assert all_rows()["Usage"] == before
    check_invariants()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_whatever_fails_there_is_a_whole_session_or_none(
    full: AgentSession, teammate: User
) -> None:
    data = export(full)

    def check() -> None:
        check_invariants()
        for copy in AgentSession.objects.filter(owner=teammate):
            assert content(export(copy)) == content(data)

    assert fail_everywhere(lambda: take_in(data, teammate), check) > 30
    assert AgentSession.objects.filter(owner=teammate).count() == 1


def test_ephemeral_and_empty_sessions(owner: User, teammate: User) -> None:
    empty = make_session(owner, source="api")
    [done] = take_in(export(empty), teammate)
    assert done.session.message_count == 0
    assert content(export(done.session)) == content(export(empty))


def blocks(data: bytes) -> Iterable[bytes]:
    yield data


def test_memory_stays_small(owner: User) -> None:
    session = make_session(owner)
    for number in range(3):
        data = os.urandom(3 * 1024 * 1024)
        save_artifact(session, stage_artifact(f"f{number}", blocks(data)), now=NOON)
    sizes = [len(block) for block in archive([session])]
    assert max(sizes) <= 3 * 1024 * 1024
    assert sum(sizes) > 9 * 1024 * 1024
