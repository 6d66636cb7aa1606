"""Gemini CLI: which files are its sessions, which of them are one, and in which folder they ran."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sessions_app.agents.base import SourceFile
from sessions_app.agents.gemini import Gemini
from sessions_app.records import SessionRecord
from tests.agents.fold import fold, summary
from tests.agents.google import SESSION, checkpoint, gemini, keys, meta, tokens, user, write

AGENT = Gemini()
FIRST = f"session-2026-03-01T10-00-{SESSION[:8]}"
LATER = f"session-2026-03-01T10-05-{SESSION[:8]}"
HELLO, HI = user("u1", "Hello"), gemini("g1", "Hi!", tokens=tokens(10, 0, 1))
MORE = user("u2", "Go on", 70)


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    """A home with one session, a sub-agent of it, and much that is none."""
    gemini_home = tmp_path / "dev" / ".gemini"
    project = gemini_home / "tmp" / "shop"
    write(project / "chats" / f"{FIRST}.jsonl", meta(), HELLO, HI)
    write(
        project / "chats" / SESSION / "a1.jsonl", meta(sessionId="a1", kind="subagent"), HELLO, HI
    )
    write(project / "chats" / f"{FIRST}.jsonl.tmp-1", b"{")
    write(project / "chats" / f"{FIRST}.jsonl.unreadable-17", b"{")
    write(project / "logs.json", b"[]")
    write(project / "checkpoint-x.json", b"[]")
    write(gemini_home / "oauth_creds.json", {"sessionId": "x", "projectHash": "x", "messages": []})
    (project / "chats" / "link.jsonl").symlink_to(project / "logs.json")
    (project / ".project_root").write_text("/home/dev/shop")
    return tmp_path / "dev"


def sources(root: Path) -> list[SourceFile]:
    return list(AGENT.session_files(root))


def session(root: Path) -> SessionRecord:
    """What the only session below `root` is."""
    [source] = sources(root)
    [record] = fold(AGENT.read(source, None)).values()
    return record


def test_a_home_gives_its_sessions_and_nothing_beside_them(dev: Path) -> None:
    for root in (dev, dev / ".gemini", dev / ".gemini" / "tmp" / "shop", dev.parent):
        assert [source.path.stem for source in sources(root)] == [FIRST, "a1"], root
    assert sources(dev / ".gemini" / "oauth_creds.json")[1:] == []


def test_the_environment_moves_our_own_home_only(
    dev: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_CLI_HOME", str(dev))
    assert AGENT.homes(Path.home()) == [dev / ".gemini" / "tmp"]
    assert AGENT.homes(dev.parent) == [dev.parent / ".gemini" / "tmp"]


def test_a_subagent_hangs_on_its_session(dev: Path) -> None:
    found = fold(part for source in sources(dev) for part in AGENT.read(source, None))
    child = found[f"{SESSION}/a1"]
    assert (child.kind, child.backend_session_id) == ("subagent", "a1")
    assert summary(child)["relations"] == [["subagent", SESSION, ""]]
    assert {record.work_dir for record in found.values()} == {"/home/dev/shop"}


@pytest.mark.parametrize(
    ("name", "data", "is_ours"),
    [
        ("x.jsonl", b'{"sessionId":"s","projectHash":"h"}\n', True),
        ("x.json", b'{"messages":[],"projectHash":"h","sessionId":"s"}', True),
        (
            "x.json",
            b'{"messages":["' + b"x" * 200_000 + b'"],"projectHash":"h","sessionId":""}',
            True,
        ),
        ("x.jsonl", b'{"type":"user","sessionId":"s"}\n{"projectHash":"h"}\n', False),
        ("x.json", b'{"sessionId":"s","projectHash":"h"}', False),
        ("x.txt", b'{"sessionId":"s","projectHash":"h"}\n', False),
        ("x.json", b"", False),
    ],
)
def test_a_file_by_hand_must_look_right(
    tmp_path: Path, name: str, data: bytes, is_ours: bool
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert [source.path for source in sources(tmp_path)] == [path] * is_ours
    assert [source.path for source in sources(path)] == [path] * is_ours


def test_a_document_and_the_log_that_it_became_are_one_session(tmp_path: Path) -> None:
    wrong = user("u9", "taken back")
    poor = {**HI, "tokens": None}
    write(tmp_path / f"{FIRST}.json", {**meta(), "messages": [HELLO, HI, wrong]})
    write(tmp_path / f"{FIRST}.jsonl", meta(), HELLO, poor, wrong, {"$rewindTo": "u9"}, MORE)
    record = session(tmp_path)
    assert keys(record) == ["user:u1", "gemini:g1", "user:u2"]
    assert summary(record)["tokens"]["input"] == 10


def test_the_file_of_a_resume_that_stays_empty_changes_nothing(tmp_path: Path) -> None:
    context = user("ctx", "<session_context>x")
    write(tmp_path / f"{FIRST}.jsonl", meta(), checkpoint(context), HELLO, HI)
    [alone] = fold(AGENT.read(sources(tmp_path)[0], None)).values()
    write(tmp_path / f"{LATER}.jsonl", meta(), checkpoint(context))
    assert session(tmp_path) == alone


def test_a_later_log_goes_on_where_the_first_one_ends(tmp_path: Path) -> None:
    first = write(tmp_path / f"{FIRST}.jsonl", meta(), HELLO, HI)
    write(tmp_path / f"{LATER}.jsonl", meta(), MORE)
    [source] = sources(tmp_path)
    parts = list(AGENT.read(source, None))
    assert keys(fold(parts)[SESSION]) == ["user:u1", "gemini:g1", "user:u2"]
    write(first, meta(), HELLO, HI, user("u3", "in between", 30))
    [again] = sources(tmp_path)
    [record] = fold(AGENT.read(again, source.end)).values()
    assert again.replaces
    assert keys(record) == ["user:u1", "gemini:g1", "user:u3", "user:u2"]


def test_what_a_companion_adds_is_read(tmp_path: Path) -> None:
    write(tmp_path / f"{FIRST}.jsonl", meta(), HELLO, HI)
    later = write(tmp_path / f"{LATER}.jsonl", meta())
    [source] = sources(tmp_path)
    list(AGENT.read(source, None))
    write(later, meta(), MORE)
    [record] = fold(AGENT.read(source, source.end)).values()
    assert keys(record) == ["user:u1", "gemini:g1", "user:u2"]
    assert source.replaces


def test_a_companion_that_has_vanished_changes_nothing(tmp_path: Path) -> None:
    first = write(tmp_path / f"{FIRST}.jsonl", meta(), HELLO)
    later = write(tmp_path / f"{LATER}.jsonl", meta(), user("ctx", "<session_context>x"))
    [source] = sources(tmp_path)
    list(AGENT.read(source, None))
    later.unlink()
    write(first, meta(), HELLO, HI)
    assert list(AGENT.read(source, source.end))
    assert not source.replaces


def test_names_that_only_begin_alike_are_two_sessions(tmp_path: Path) -> None:
    other = SESSION[:8] + SESSION[8:].replace("1", "2")
    write(tmp_path / f"{FIRST}.jsonl", meta(), HELLO)
    write(tmp_path / f"{LATER}.jsonl", meta(sessionId=other), HELLO)
    assert [len(source.companions) for source in sources(tmp_path)] == [0, 0]


@pytest.mark.parametrize("is_noted", [True, False])
def test_the_folder_in_the_context_is_known_by_its_hash(tmp_path: Path, is_noted: bool) -> None:
    digest = hashlib.sha256(b"/home/dev/shop").hexdigest()
    folders = "**Workspace Directories:**\n  - /elsewhere\n  - /home/dev/shop\n"
    context = user("ctx", f"<session_context>\n{folders}</session_context>")
    chats = tmp_path / ".gemini" / "tmp" / "shop" / "chats"
    write(chats / f"{FIRST}.jsonl", meta(projectHash=digest), context, HELLO)
    if is_noted:
        (chats.parent / ".project_root").write_text("/moved/shop\n")
    assert session(tmp_path).work_dir == "/home/dev/shop"


def test_a_note_of_the_folder_that_is_a_link_is_not_read(dev: Path) -> None:
    note = dev / ".gemini" / "tmp" / "shop" / ".project_root"
    note.unlink()
    note.symlink_to(dev / ".gemini" / "oauth_creds.json")
    found = fold(part for source in sources(dev) for part in AGENT.read(source, None))
    assert {record.work_dir for record in found.values()} == {""}
