"""OpenCode: which files are read, and the older tree with a file for each thing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from sessions_app.agents.base import UnreadableSession
from sessions_app.agents.opencode import OpenCode
from sessions_app.records import Position
from tests.agents.fold import fold, summary
from tests.agents.opencode import (
    NOW,
    Json,
    Store,
    read,
    session,
    source,
    text,
    tool,
    tree,
    tree_message,
    write,
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with two channels, an older tree, and much that is none of ours."""
    data = tmp_path / "dev" / ".local" / "share" / "opencode"
    for name in ("opencode.db", "opencode-beta.db"):
        store = Store(data, name)
        store.session("ses_new")
        store.prompt("msg_1", "Hi", to="ses_new")
        store.end()
    (data / "opencode-broken.db").write_bytes(b"no database")
    (data / "other.db").write_bytes((data / "opencode.db").read_bytes())
    (data / "opencode-link.db").symlink_to(data / "opencode.db")
    (data / "auth.json").write_text('{"key": "secret"}')
    (data / "snapshot" / "proj").mkdir(parents=True)
    (data / "snapshot" / "proj" / "opencode.db").write_bytes((data / "opencode.db").read_bytes())
    tree(data / "storage", "ses_new")
    tree(data / "storage", "ses_old")
    tree_message(data / "storage", "msg_1", {"role": "user"}, text("Hi"), to="ses_old")
    (data / "storage" / "session" / "proj" / "ses_link.json").symlink_to(data / "auth.json")
    write(data / "storage" / "session" / "proj" / "other.json", {"id": "x"})
    return tmp_path / "dev"


def names(root: Path) -> list[str]:
    return [item.path.name for item in OpenCode().session_files(root)]


def test_a_home_gives_its_databases_and_what_only_the_tree_has(home: Path) -> None:
    [data] = OpenCode().homes(home)
    assert names(data) == ["opencode-beta.db", "opencode.db", "ses_old.json"]
    assert names(home) == names(data)


def test_files_can_be_given_by_hand(home: Path) -> None:
    [data] = OpenCode().homes(home)
    for name in ("opencode.db", "storage/session/proj/ses_old.json"):
        assert names(data / name) == [Path(name).name]
    for name in ("auth.json", "other.db", "opencode-broken.db", "nothing"):
        assert names(data / name) == []
    assert names(data / "storage") == ["ses_old.json"]


def test_the_variable_moves_only_our_own_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(home / ".local" / "share"))
    monkeypatch.setenv("HOME", "/nowhere")
    assert OpenCode().homes(Path("/nowhere")) == [home / ".local" / "share" / "opencode"]
    assert OpenCode().homes(Path("/a")) == [Path("/a/.local/share/opencode")]


USER: Json = {"role": "user", "time": {"created": NOW}}
BEGUN: Json = {"role": "assistant", "time": {"created": NOW + 1}, "modelID": "m-1"}
ENDED: Json = {
    **BEGUN, "time": {"created": NOW + 1, "completed": NOW + 2}, "finish": "stop", "cost": 0.5,
    "tokens": {"input": 4, "output": 3, "reasoning": 1, "cache": {"read": 2, "write": 0}},
}  # fmt: skip


def again(position: Position) -> Position:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(position), type=Position)


def test_a_tree_tells_the_same_as_a_database(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    store.session(time_created=NOW, time_updated=NOW + 1, version="0.9", agent=None)
    store.message("msg_1", "user", text("Hi"), time=USER["time"])
    data = {name: value for name, value in ENDED.items() if name != "role"}
    store.message("msg_2", "assistant", tool(), text("Hello"), **data)
    path = tree(tmp_path / "storage")
    tree_message(tmp_path / "storage", "msg_1", USER, text("Hi"))
    tree_message(tmp_path / "storage", "msg_2", ENDED, tool(), text("Hello"))
    assert session(path) == session(store.path)


def test_a_tree_that_grows_is_read_as_if_at_once(tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    path = tree(storage)
    parts, position = read(path)
    steps: list[Callable[[], Path]] = [
        lambda: tree_message(storage, "msg_1", USER, text("Hi")),
        lambda: tree_message(storage, "msg_2", BEGUN, text("Hel")),
        lambda: tree_message(storage, "msg_2", BEGUN, text("Hello"), tool("running")),
        lambda: tree_message(storage, "msg_2", ENDED, text("Hello"), tool(output="7")),
        lambda: tree_message(storage, "msg_3", USER, text("More")),
        lambda: tree(storage, title="Named at last"),
    ]
    for step in steps:
        step()
        more, position = read(path, again(position))
        parts += more
        assert fold(parts)["ses_1"] == session(path)
    more, _ = read(path, again(position))
    assert [part.messages for part in more] in ([], [[]]) or more[0].messages[0].key == "msg_3"


def test_a_sub_agent_of_the_tree_knows_its_parent(tmp_path: Path) -> None:
    path = tree(tmp_path / "storage", "ses_2", parentID="ses_1")
    found = summary(session(path))
    assert (found["kind"], found["relations"]) == ("subagent", [["subagent", "ses_1", ""]])


def test_broken_files_of_a_tree_are_named_and_cost_no_good_one(tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    path = tree(storage)
    tree_message(storage, "msg_1", USER, text("Hi"), text("there"))
    broken = storage / "part" / "msg_1" / "prt_msg_1_0.json"
    broken.write_text('{"type": "te')
    torn = tree_message(storage, "msg_2", USER, text("lost"))
    torn.write_text("")
    tree_message(storage, "msg_3", USER, text("found"))
    record = session(path)
    assert summary(record)["texts"] == ["there", "found"]
    assert [Path(problem.path) for problem in record.problems] == [broken]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ('{"id": "ses_1", "directory": "/", "time": {', "torn"),
        ('["id", "directory", "time"]', "not an object"),
        ('{"id": "ses_2", "directory": "/", "time": {}}', "not its name"),
    ],
)
def test_a_session_file_that_is_none_says_why(words: str, reason: str, tmp_path: Path) -> None:
    path = tree(tmp_path / "storage")
    path.write_text(words)
    with pytest.raises(UnreadableSession, match=reason):
        list(OpenCode().read(source(path), None))
