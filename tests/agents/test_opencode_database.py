"""OpenCode's database is read without a trace, also while OpenCode writes it, and bit by bit."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from sessions_app.agents.base import UnreadableSession
from sessions_app.agents.opencode import OpenCode
from sessions_app.agents.opencode.database import Database, opened
from sessions_app.records import Position
from tests.agents.fold import fold, summary
from tests.agents.opencode import (
    SCHEMA,
    Store,
    files_of,
    read,
    session,
    sessions,
    source,
    text,
    tool,
)

SAMPLE = Path(__file__).parent / "samples/opencode/real-runs/home/.local/share/opencode"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "live")
    made.session()
    made.prompt("msg_1", "Hi")
    made.answer("msg_2", text("Hello"))
    return made


def still_open(store: Store, folder: Path) -> Path:
    return store.path


def copied_with_its_log(store: Store, folder: Path) -> Path:
    """As after a crash of the whole machine, or in a backup: there is no shared memory."""
    folder.mkdir()
    for name in ("opencode.db", "opencode.db-wal"):
        shutil.copy(store.path.with_name(name), folder)
    return folder / "opencode.db"


def ended(store: Store, folder: Path) -> Path:
    return store.end()


@pytest.mark.parametrize("leave", [still_open, copied_with_its_log, ended])
def test_everything_is_read_and_nothing_is_left_behind(
    leave: Callable[[Store, Path], Path], store: Store, tmp_path: Path
) -> None:
    path = leave(store, tmp_path / "copy")
    before = files_of(tmp_path)
    assert summary(session(path))["texts"] == ["Hi", "Hello"]
    assert files_of(tmp_path) == before


def test_rows_that_are_only_in_the_log_are_read(store: Store) -> None:
    alone = store.path.with_name("opencode-alone.db")
    shutil.copy(store.path, alone)
    with pytest.raises(UnreadableSession):  # not even the tables have left the log
        read(alone)
    assert [item.path.name for item in OpenCode().session_files(store.path.parent)] == [
        "opencode-alone.db",
        "opencode.db",
    ]
    assert source(store.path).companions == (store.path.with_name("opencode.db-wal"),)
    assert len(session(store.path).messages) == 2


def test_opencode_writes_while_it_is_read(store: Store) -> None:
    store.session("ses_2")
    parts = OpenCode().read(source(store.path), None)
    next(parts)
    store.prompt("msg_3", "Meanwhile", to="ses_2")
    assert store.database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[0] == 0
    assert next(parts).messages[0].key == "msg_3"


def test_a_database_that_changes_without_a_log_is_left_for_the_next_look(store: Store) -> None:
    store.session("ses_2")
    store.prompt("msg_3", "Two", to="ses_2")
    path = store.end()
    found = source(path)
    parts = OpenCode().read(found, None)
    assert next(parts).identity == "ses_1"
    writer = sqlite3.connect(path)
    writer.execute("UPDATE session SET title = 'Other'")
    writer.commit()
    writer.close()
    assert list(parts) == []
    again = list(OpenCode().read(source(path), found.end))
    assert [record.identity for record in again] == ["ses_1", "ses_2"]


@pytest.mark.parametrize("table", ["account", "event", "sqlite_master, account"])
def test_other_tables_cannot_be_read_at_all(table: str, store: Store) -> None:
    with pytest.raises(UnreadableSession, match="account|event"), opened(store.path) as database:
        list(database.rows(f"SELECT * FROM {table}"))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT load_extension('x')",
        "SELECT writefile('x', 'y')",
        "INSERT INTO session (id) VALUES ('x')",
        "ATTACH 'x' AS y",
        "PRAGMA journal_mode = DELETE",
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n",
    ],
)
def test_nothing_but_plain_reading_is_allowed(query: str, store: Store) -> None:
    def run(database: Database) -> None:
        list(database.rows(query))

    with pytest.raises(UnreadableSession), opened(store.path) as database:
        run(database)


def test_a_view_leads_nowhere_else(tmp_path: Path) -> None:
    path = tmp_path / "opencode.db"
    database = sqlite3.connect(path)
    view = "CREATE VIEW part AS SELECT id, 'msg_1' AS message_id, 'ses_1' AS session_id, "
    view += "1 AS time_created, 1 AS time_updated, access_token AS data FROM account"
    database.executescript(f"{SCHEMA}; DROP TABLE part; {view};")
    database.close()
    with pytest.raises(UnreadableSession, match="account.* prohibited"):
        read(path)


@pytest.mark.parametrize("data", [b"", b"SQLite format 3\0", b"SQLite format 3\0" + b"x" * 5000])
def test_what_is_no_database_is_not_read(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "opencode.db"
    path.write_bytes(data)
    found = list(OpenCode().session_files(path))
    assert bool(found) == bool(data)
    for item in found:
        with pytest.raises(UnreadableSession):
            list(OpenCode().read(item, None))


def test_a_database_of_other_tables_is_not_opencodes(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "opencode.db")
    database.execute("CREATE TABLE session (id, time_created)")
    database.close()
    with pytest.raises(UnreadableSession, match="no table message"):
        read(tmp_path / "opencode.db")


def in_steps(store: Store) -> list[Callable[[], object]]:
    """What OpenCode does one after the other, and what of it a reading may fall between."""
    running = tool("running", time={"start": 1})
    finished = store.finished()
    begun = {"created": finished["time"]["created"]}
    response = {"role": "assistant", "time": begun}
    return [
        lambda: store.message("msg_3", "assistant", text("Let"), time=begun),
        lambda: store.change("part", "prt_msg_3_0", text("Let me look.\n")),
        lambda: store.part("prt_msg_3_1", "msg_3", tool("pending", input={}, raw="")),
        lambda: store.change("part", "prt_msg_3_1", running),
        lambda: store.change("part", "prt_msg_3_1", tool(output="7 carts")),
        lambda: store.change("message", "msg_3", response | {"tokens": finished["tokens"]}),
        lambda: store.change("message", "msg_3", {**response, **finished, "finish": "tool-calls"}),
        lambda: store.answer("msg_4", text("Seven.")),
        lambda: store.session("ses_2", parent_id="ses_1"),
        lambda: store.copy("ses_1", "ses_3"),
        lambda: store.prompt("msg_5", "And now?"),
        lambda: store.message("msg_6", "assistant", text("Killed here")),
        lambda: store.database.execute("UPDATE session SET title = 'Named'"),
        lambda: store.prompt("msg_7", "Again"),
    ]


def again(position: Position) -> Position:
    """As it comes back from the database of ours."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(position), type=Position)


def test_reading_after_each_step_is_reading_at_once(store: Store) -> None:
    parts, position = read(store.path)
    for step in in_steps(store):
        step()
        more, position = read(store.path, again(position))
        parts += more
        together, at_once = fold(parts), sessions(store.path)
        for record in together.values():
            record.error = ""
        assert together == at_once
    assert {usage.message_key for usage in together["ses_1"].usages} == {"msg_2", "msg_3", "msg_4"}
    assert read(store.path, again(position))[0] == []


def test_a_reading_speaks_only_of_what_is_new(store: Store) -> None:
    store.session("ses_2")
    store.prompt("msg_3", "Two", to="ses_2")
    _, position = read(store.path)
    store.answer("msg_4", text("New"), to="ses_2")
    [record] = read(store.path, position)[0]
    assert [message.key for message in record.messages] == ["msg_3", "msg_4"]  # it was open
    assert record.identity == "ses_2"


def kept_of(
    path: Path, after: Position | None
) -> tuple[dict[str, list[tuple[int, bytes]]], Position]:
    kept: dict[str, list[tuple[int, bytes]]] = {}
    found = source(path)
    found.keep = lambda name, offset, data: kept.setdefault(name.name, []).append((offset, data))
    list(OpenCode().read(found, after))
    return kept, found.end


def test_a_sessions_own_rows_are_kept_and_those_that_change_again(store: Store) -> None:
    kept, position = kept_of(store.path, None)
    [(offset, first)] = kept["opencode.db#ses_1"]
    rows = [msgspec.json.decode(line) for line in first.splitlines()]
    assert offset == 0
    assert [row["table"] for row in rows] == ["session", "message", "part", "message", "part"]
    [data] = store.database.execute("SELECT data FROM message WHERE id = 'msg_2'").fetchone()
    assert rows[3] == {
        "table": "message", "id": "msg_2", "session_id": "ses_1", "data": data,
        "time_created": rows[3]["time_created"], "time_updated": rows[3]["time_updated"],
    }  # fmt: skip
    store.prompt("msg_3", "More")
    kept, _ = kept_of(store.path, position)
    [(offset, second)] = kept["opencode.db#ses_1"]
    assert offset == len(first)
    names = [msgspec.json.decode(line).get("id") for line in second.splitlines()]
    assert names[0] == "ses_1"
    assert names[-2:] == ["msg_3", "prt_msg_3_0"]
    assert "secret" not in str(kept)


def test_todos_are_told_and_kept(store: Store) -> None:
    store.database.execute(
        "INSERT INTO todo VALUES ('ses_1', 'Test it', 'pending', 'low', 0, 1, 1)"
    )
    kept, _ = kept_of(store.path, None)
    assert b'"table":"todo"' in kept["opencode.db#ses_1"][0][1]
    assert session(store.path).metadata["todos"] == [{"content": "Test it", "status": "pending"}]


def test_a_large_session_comes_in_parts(store: Store) -> None:
    for number in range(6):
        store.answer(f"msg_{10 + number}", text(f"{number}" * 3_000_000))
    parts, position = read(store.path)
    assert [len(part.messages) for part in parts] == [5, 3]
    assert len(fold(parts)["ses_1"].usages) == 7
    assert read(store.path, position)[0] == []


def test_a_reading_that_is_cut_off_goes_on_where_it_was_noted(store: Store) -> None:
    for name in ("ses_2", "ses_3", "ses_4"):
        store.session(name)
        store.answer(f"msg_{name}", text("x" * 9_000_000), to=name)
    found = source(store.path)
    parts = OpenCode().read(found, None)
    told = [next(parts), next(parts), next(parts)]
    noted = again(found.end)
    parts.close()  # type: ignore[attr-defined]
    more, _ = read(store.path, noted)
    assert [record.identity for record in told] == ["ses_1", "ses_2", "ses_3"]
    assert [record.identity for record in more] == ["ses_4"]


def test_a_session_whose_id_is_no_name_is_left_alone(store: Store) -> None:
    store.session("../../etc")
    store.session("")
    assert list(sessions(store.path)) == ["ses_1"]


def test_the_real_runs_read_alike_from_a_log(tmp_path: Path) -> None:
    for path in SAMPLE.iterdir():
        shutil.copy(path, tmp_path)
    at_once = sessions(tmp_path / "opencode.db")
    writer = sqlite3.connect(tmp_path / "opencode.db", isolation_level=None)
    writer.execute("PRAGMA wal_autocheckpoint = 0")
    writer.execute("UPDATE part SET time_updated = time_updated + 1")
    assert (tmp_path / "opencode.db-wal").stat().st_size > 0
    assert sessions(tmp_path / "opencode.db") == at_once
    writer.close()
