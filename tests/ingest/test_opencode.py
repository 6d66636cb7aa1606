"""Sessions of one OpenCode database in the store: counted, linked, kept, and read bit by bit."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from sessions_app import packing
from sessions_app.models import (
    AgentSession,
    Message,
    RawFile,
    RawPart,
    Relation,
    ToolCall,
    Usage,
)
from tests.agents.opencode import Store, text, tool, tree, tree_message
from tests.dump import all_rows, differences, dump
from tests.ingest.conftest import Read

pytestmark = pytest.mark.django_db

SAMPLE = Path(__file__).parents[1] / "agents" / "samples" / "opencode" / "real-runs"
TOKENS = ("input", "output", "cache_read", "cache_write", "reasoning")
STATUS = {"ended": "completed", "open": "crashed", "failed": "error"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / ".local" / "share" / "opencode")
    made.session()
    made.prompt("msg_1", "Hi")
    made.answer("msg_2", text("Hello"))
    return made


def billed(session: AgentSession) -> dict[str, int]:
    return {name: getattr(session, f"{name}_tokens") for name in TOKENS}


def test_the_real_runs_are_stored_as_they_were_billed(read: Read, tmp_path: Path) -> None:
    home = shutil.copytree(SAMPLE / "home", tmp_path / "home")
    read(home)
    expected = json.loads((SAMPLE / "expected.json").read_text("utf-8"))
    assert AgentSession.objects.count() == len(expected["sessions"])
    for identity, wanted in expected["sessions"].items():
        session = AgentSession.objects.get(backend="opencode", identity=identity)
        assert session.user_messages == wanted["user_prompts"], identity
        assert session.assistant_messages == wanted["assistant_messages"], identity
        assert session.tool_calls == wanted["tool_calls"], identity
        assert billed(session) == wanted["tokens"], identity
        assert str(session.cost.normalize()) == (wanted["cost"] or "0"), identity
        assert session.recorded_cost == session.cost
        assert session.status == STATUS[wanted["turn"]], identity
    totals = {name: sum(Usage.objects.values_list(name, flat=True)) for name in TOKENS}
    assert totals == expected["totals"]["tokens"]
    fork = AgentSession.objects.get(title="Stub session title (fork #1)")
    assert fork.inherited_tokens == 20405
    assert fork.total_tokens - fork.inherited_tokens == 2577 + 139 + 2560
    links = Relation.objects.values_list("kind", "parent__title", "forked_at_seq").order_by("kind")
    assert list(links) == [
        ("fork", "Stub session title", 8),
        ("subagent", "Stub session title", None),
    ]


def test_an_unchanged_database_is_not_read_and_nothing_is_written(
    read: Read, store: Store, tmp_path: Path
) -> None:
    read()
    before = all_rows()
    report = read()
    assert (report.seen, report.unchanged, report.parsed) == (1, 1, 0)
    assert all_rows() == before


def test_only_the_session_that_went_on_is_written(read: Read, store: Store, tmp_path: Path) -> None:
    store.session("ses_2")
    store.prompt("msg_3", "Two", to="ses_2")
    store.answer("msg_4", text("Two!"), to="ses_2")
    read()
    other = AgentSession.objects.filter(identity="ses_1").values().get()
    old = {row.pk: (row.seq, row.revision) for row in Message.objects.all()}
    store.prompt("msg_5", "Three", to="ses_2")
    report = read()
    assert (report.parsed, report.messages, len(report.updated)) == (1, 1, 1)
    assert AgentSession.objects.filter(identity="ses_1").values().get() == other
    assert {row.pk: (row.seq, row.revision) for row in Message.objects.filter(pk__in=old)} == old


def bytes_of(file: RawFile, generation: int = 1) -> bytes:
    parts = RawPart.objects.filter(file=file, generation=generation).order_by("offset")
    return b"".join(packing.unpack(part.chunk.data) for part in parts)


def kept_rows(session: str) -> list[dict[str, Any]]:
    file = RawFile.objects.get(path__endswith=f"opencode.db#{session}")
    return [json.loads(line) for line in bytes_of(file).splitlines()]


def test_a_sessions_own_rows_are_kept_whatever_becomes_of_the_database(
    read: Read, store: Store, tmp_path: Path
) -> None:
    store.session("ses_2")
    read()
    store.answer("msg_3", text("More"))
    store.database.execute("DELETE FROM message WHERE id = 'msg_1'")
    store.database.execute("DELETE FROM session WHERE id = 'ses_2'")
    read()
    rows = kept_rows("ses_1")
    assert {row["id"] for row in rows if row["table"] == "message"} == {"msg_1", "msg_2", "msg_3"}
    columns = [column[1] for column in store.database.execute("PRAGMA table_info(message)")]
    for values in store.database.execute("SELECT * FROM message").fetchall():
        row = {"table": "message", **dict(zip(columns, values, strict=True))}
        assert row in rows
    assert [row["table"] for row in kept_rows("ses_2")] == ["session"]
    assert Message.objects.filter(session__identity="ses_1").count() == 3
    store.end().unlink()
    before = all_rows()
    read()
    assert all_rows() == before


def test_the_database_and_its_log_belong_to_no_session(
    read: Read, store: Store, tmp_path: Path
) -> None:
    read()
    files = RawFile.objects.order_by("path").values_list("path", "main_path", "session", "raw_size")
    database, rows, log = map(list, files)
    session = AgentSession.objects.get()
    assert database == [str(store.path), "", None, 0]
    assert rows == [f"{store.path}#ses_1", str(store.path), session.pk, session.size_bytes]
    assert log == [f"{store.path}-wal", str(store.path), None, 0]


def test_reading_all_anew_changes_no_conversation_and_keeps_the_older_rows(
    read: Read, store: Store, tmp_path: Path
) -> None:
    read()
    store.copy("ses_1", "ses_2")
    store.answer("msg_9", text("own"), to="ses_2")
    read()
    before, ids = dump(), dict(Message.objects.values_list("key", "pk"))
    store.database.execute("DELETE FROM part WHERE id = 'prt_msg_1_0'")
    read(full=True)
    assert dict(Message.objects.values_list("key", "pk")) == {
        key: pk for key, pk in ids.items() if key != "msg_1"
    }
    after = dump()
    changed = {line.split("/")[1] for line in differences(before, after)}
    assert changed == {"sessions", "files"}
    assert after["usage"] == before["usage"]
    file = RawFile.objects.get(path__endswith="#ses_1")
    assert file.generation == 2
    assert b"prt_msg_1_0" in bytes_of(file, 1)
    assert b"prt_msg_1_0" not in bytes_of(file, 2)


def steps(store: Store) -> list[Any]:
    running = tool("running", time={"start": 1})
    data = store.finished()
    response = {"role": "assistant", "time": {"created": data["time"]["created"]}}
    return [
        lambda: store.message("msg_3", "assistant", text("Let"), time=response["time"]),
        lambda: store.part("prt_x", "msg_3", running),
        lambda: store.change("part", "prt_x", tool(output="7 carts")),
        lambda: store.change("message", "msg_3", response | data),
        lambda: store.copy("ses_1", "ses_2"),
        lambda: store.answer("msg_4", text("own"), to="ses_2"),
        lambda: store.answer("msg_5", text("the parent goes on")),
    ]


def test_reading_after_each_step_stores_what_one_reading_stores(
    read: Read, store: Store, tmp_path: Path
) -> None:
    mark = transaction.savepoint()
    for step in steps(store):
        read()
        step()
    read()
    in_steps = dump()
    assert ToolCall.objects.get(message__key="msg_3").ended
    transaction.savepoint_rollback(mark)
    read()
    at_once = dump()
    for state in (in_steps, at_once):
        state.pop("files")
        for session in state["sessions"].values():
            session.pop("size_bytes")  # rows that changed are kept in each of their forms
    assert differences(in_steps, at_once) == []


def test_a_session_that_moved_from_the_tree_to_the_database_stays_one(
    read: Read, store: Store, tmp_path: Path
) -> None:
    storage = store.path.parent / "storage"
    message = {"role": "user", "time": {"created": store.clock}}
    tree(storage, "ses_9")
    tree_message(storage, "msg_90", message, text("Of old"), to="ses_9")
    read()
    assert AgentSession.objects.get(identity="ses_9").message_count == 1
    store.session("ses_9", title="Moved")
    store.message("msg_90", "user", text("Of old"), to="ses_9", **{"time": message["time"]})
    store.answer("msg_91", text("Of late"), to="ses_9")
    store.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    read()
    session = AgentSession.objects.get(identity="ses_9")
    assert (session.title, session.message_count) == ("Moved", 2)
    before = all_rows()
    assert read().parsed == 0
    assert all_rows() == before


def test_a_database_that_cannot_be_read_for_once_is_read_on_afterwards(
    read: Read, store: Store, tmp_path: Path
) -> None:
    path = store.end()
    read()
    good = path.read_bytes()
    path.write_bytes(good[:100] + b"x" * 9000)
    report = read()
    assert (report.failed, Message.objects.count()) == (1, 2)
    path.write_bytes(good)
    writer = sqlite3.connect(path)
    writer.execute("UPDATE session SET title = 'Healed', time_updated = time_updated + 1")
    writer.commit()
    writer.close()
    report = read()
    assert (report.failed, report.messages) == (0, 0)
    assert AgentSession.objects.get().title == "Healed"
