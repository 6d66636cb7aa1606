"""Reading the same place again: nothing new costs nothing, and nothing is lost or doubled."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sessions_app import packing
from sessions_app.models import (
    AgentSession,
    IngestProblem,
    IngestRun,
    Message,
    RawFile,
    RawPart,
    Relation,
    Usage,
    User,
)
from tests.ingest.conftest import Read

pytestmark = pytest.mark.django_db

SAMPLES = Path(__file__).parents[1] / "agents" / "samples"
CLAUDE = SAMPLES / "claude-code" / "real-runs" / "home"
PARENT = "f4cc675a-9cce-441c-9118-924c7610abcc"
FORK = "52426d0e-455e-48be-a8c8-18dc1fa62a8b"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CLAUDE, tmp_path / "home"))


def log_of(home: Path, session: str) -> Path:
    return next(home.rglob(f"{session}.jsonl"))


def test_an_unchanged_home_parses_nothing_and_writes_no_row(read: Read, home: Path) -> None:
    read(home)
    runs = IngestRun.objects.count()
    with CaptureQueriesContext(connection) as queries:
        report = read(home, checked=False)
    assert (report.parsed, report.failed) == (0, 0)
    assert report.unchanged == report.seen > 5
    writes = [
        query["sql"]
        for query in queries
        if query["sql"].split(None, 1)[0] in ("INSERT", "UPDATE", "DELETE", "COPY")
    ]
    assert writes == []
    assert IngestRun.objects.count() == runs


@pytest.mark.parametrize("first", [PARENT, FORK])
def test_a_fork_and_its_parent_may_come_in_any_order(
    read: Read, home: Path, tmp_path: Path, first: str
) -> None:
    aside = tmp_path / "aside"
    second = FORK if first == PARENT else PARENT
    path = log_of(home, second)
    shutil.move(path, aside)
    read(home)
    shutil.move(aside, path)
    read(home)
    fork = AgentSession.objects.get(backend_session_id=FORK)
    link = Relation.objects.get(child=fork, kind=Relation.Kind.FORK)
    assert link.parent is not None and link.parent.backend_session_id == PARENT
    assert link.forked_at_seq == 8
    assert fork.inherited_tokens == link.parent.total_tokens == 22_299
    own = Usage.objects.filter(session=fork)
    assert sum(usage.input for usage in own) == 2617


def test_totals_over_sessions_count_copied_history_once(read: Read, home: Path) -> None:
    read(home)
    billed = sum(
        usage.input + usage.output + usage.cache_read + usage.cache_write
        for usage in Usage.objects.all()
    )
    shown = sum(session.total_tokens for session in AgentSession.objects.all())
    inherited = sum(session.inherited_tokens for session in AgentSession.objects.all())
    assert billed == shown - inherited
    assert inherited == 22_299


def test_another_collectors_copy_is_a_continuation_and_costs_nothing_more(
    read: Read, home: Path, teammate: User
) -> None:
    read(home)
    before = Usage.objects.count()
    read(home, owner=teammate, host="laptop")
    assert Usage.objects.count() == before
    copies = AgentSession.objects.filter(collector=teammate, kind="main")
    for copy in copies:
        link = Relation.objects.get(child=copy, kind=Relation.Kind.CONTINUATION)
        assert link.parent is not None and link.parent.identity == copy.identity


def test_a_shorter_file_replaces_the_conversation_and_keeps_the_older_bytes(
    read: Read, home: Path
) -> None:
    read(home)
    path = log_of(home, PARENT)
    session = AgentSession.objects.get(backend_session_id=PARENT)
    ids = dict(Message.objects.filter(session=session).values_list("key", "pk"))
    old, tokens = path.read_bytes(), session.total_tokens
    path.write_bytes(b"\n".join(old.split(b"\n")[:10]) + b"\n")
    read(home, checked=False)
    session.refresh_from_db()
    now = dict(Message.objects.filter(session=session).values_list("key", "pk"))
    assert 0 < len(now) < len(ids)
    assert all(ids[key] == pk for key, pk in now.items())
    file = RawFile.objects.get(path=str(path))
    assert file.generation == 2
    first = RawPart.objects.filter(file=file, generation=1).order_by("offset")
    kept = b"".join(packing.unpack(part.chunk.data) for part in first.select_related("chunk"))
    assert kept == old
    billed = Usage.objects.filter(session=session)
    assert sum(u.input + u.output + u.cache_read + u.cache_write for u in billed) == tokens


def test_a_vanished_or_emptied_file_changes_nothing(read: Read, home: Path) -> None:
    read(home)
    counts = list(AgentSession.objects.order_by("pk").values_list("pk", "message_count"))
    log_of(home, PARENT).unlink()
    log_of(home, FORK).write_bytes(b"")
    report = read(home)
    assert report.parsed == 0
    assert list(AgentSession.objects.order_by("pk").values_list("pk", "message_count")) == counts


def test_reading_in_full_keeps_every_id(read: Read, home: Path) -> None:
    read(home)
    rows = set(Message.objects.values_list("pk", "key", "session"))
    short = set(AgentSession.objects.values_list("pk", "short_id"))
    report = read(home, full=True)
    assert report.parsed == report.seen
    assert set(Message.objects.values_list("pk", "key", "session")) == rows
    assert set(AgentSession.objects.values_list("pk", "short_id")) == short


def test_what_is_no_readable_file_neither_stops_nor_hangs_the_run(
    read: Read, home: Path, tmp_path: Path
) -> None:
    folder = log_of(home, PARENT).parent
    (folder / "folder.jsonl").mkdir()
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "dangling.jsonl").symlink_to(tmp_path / "nowhere")
    outside = tmp_path / "outside.jsonl"
    shutil.copy(log_of(home, FORK), outside)
    (folder / "linked.jsonl").symlink_to(outside)
    (folder / "binary.jsonl").write_bytes(bytes(range(256)) * 40)
    report = read(home)
    assert AgentSession.objects.filter(backend_session_id=PARENT).exists()
    assert not RawFile.objects.filter(path__endswith="linked.jsonl").exists()
    assert IngestProblem.objects.filter(path__endswith="binary.jsonl").exists()
    assert report.problem_count >= 1
