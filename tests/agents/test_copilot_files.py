"""Where Copilot CLI's sessions lie, what stands beside them, and how they go on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sessions_app.agents.base import PART_SIZE, UnreadableSession
from sessions_app.agents.copilot import Copilot
from sessions_app.records import SessionFacts
from tests.agents.copilot import NAME, answer, event, log, started, write
from tests.agents.fold import fold

AGENT = Copilot()
ASK = event("user.message", content="go")


def names(root: Path) -> list[str]:
    return [source.path.parent.name for source in AGENT.session_files(root)]


def test_every_folder_above_leads_to_the_session_and_to_nothing_beside_it(tmp_path: Path) -> None:
    path = log(tmp_path, started(), ASK)
    write(path.parent / "files" / "events.jsonl", started(), ASK)
    write(tmp_path / ".copilot" / "logs" / "events.jsonl", started(), ASK)
    facts = write(path.parent / "workspace.yaml")
    for root in (tmp_path, *path.parents[:3], path, facts):
        assert names(root) == [NAME], root


def test_elsewhere_only_what_looks_right_is_taken(tmp_path: Path) -> None:
    write(tmp_path / "copied.jsonl", started(), ASK)
    write(tmp_path / "other.jsonl", {"type": "session.start", "data": {"id": "x"}})
    (tmp_path / "torn.jsonl").write_text("{")
    [source] = AGENT.session_files(tmp_path)
    assert list(fold(AGENT.read(source, None))) == [NAME]


def test_bare_files_of_older_versions_are_named_by_themselves(tmp_path: Path) -> None:
    store = tmp_path / ".copilot" / "session-state"
    write(store / "old.jsonl", event("session.info"), ASK)
    [source] = AGENT.session_files(tmp_path)
    assert list(fold(AGENT.read(source, None))) == ["old"]


def test_links_are_never_followed(tmp_path: Path) -> None:
    secret = log(tmp_path / "secret", started(), ASK)
    folder = tmp_path / "home" / ".copilot" / "session-state" / NAME
    folder.mkdir(parents=True)
    (folder / "events.jsonl").symlink_to(secret)
    (folder.parent / "other").symlink_to(secret.parent)
    assert names(tmp_path / "home") == []


@pytest.mark.parametrize(
    ("text", "title", "rank"),
    [
        ("name: Fix it: now\nuser_named: false", "Fix it: now", 3),
        ("name: Mine\nuser_named: true", "Mine", 5),
        ('name: "a \\"b\\" \\u00e9"\nuser_named: false', 'a "b" é', 3),
        ("name: 'it''s'", "it's", 3),
        ("summary: older", "older", 3),
        ("name: |-\n  of two\n  lines", "", 0),
        ("name: ", "", 0),
        ("\x00\xff: [", "", 0),
    ],
)
def test_titles_come_from_the_file_beside_it(
    text: str, title: str, rank: int, tmp_path: Path
) -> None:
    path = log(tmp_path, event("user.message", content="go"))
    (path.parent / "workspace.yaml").write_text(f"{text}\ncwd: /shop\n", "utf-8")
    [source] = AGENT.session_files(tmp_path)
    found = fold(AGENT.read(source, None))[NAME]
    assert (found.title, found.title_rank, found.work_dir) == (title, rank, "/shop")


def test_a_session_without_words_waits(tmp_path: Path) -> None:
    path = log(tmp_path, started(), event("system.message", content="You are"))
    [source] = AGENT.session_files(tmp_path)
    assert list(AGENT.read(source, None)) == []
    assert source.end.offset == 0
    path.write_text("{torn\n")
    with pytest.raises(UnreadableSession, match="no message in it; line 1"):
        list(AGENT.read(source, None))


def test_a_sub_agents_part_never_moves_the_position_before_the_sessions(tmp_path: Path) -> None:
    """A run that is cut off between the two reads both again."""
    long = answer("x" * (PART_SIZE // 3), agent="a1")
    log(tmp_path, started(), ASK, *[{**long, "id": f"e{n}"} for n in range(8)], answer("done"))
    [source] = AGENT.session_files(tmp_path)
    told: list[tuple[str, int]] = []
    for record in AGENT.read(source, None):
        told.append((record.kind, source.end.offset))
    kinds = [kind for kind, _ in told]
    assert kinds == ["subagent", "main"] * (len(told) // 2)
    assert len(told) > 2
    assert [offset for kind, offset in told if kind == "subagent"] == [
        0, *[offset for kind, offset in told if kind == "main"][:-1]
    ]  # fmt: skip


def test_marks_tell_living_sessions_from_killed_ones(tmp_path: Path) -> None:
    store = log(tmp_path, started(), ASK).parents[1]
    for name, pid in (("killed", 99999999), ("alive", os.getpid())):
        (store / name).mkdir()
        (store / name / f"inuse.{pid}.lock").write_text(str(pid))
        (store / name / f"inuse.{pid}.hold").write_text("")
    (store / "alive" / "inuse.99999999.lock").write_text("99999999")
    (store / "killed" / "inuse.x.lock").write_text("")
    assert AGENT.live_sessions(store) == {"killed": False, "alive": True}
    assert AGENT.live_sessions(tmp_path / "nothing") == {}


def test_a_mark_older_than_its_process_is_another_ones(tmp_path: Path) -> None:
    store = log(tmp_path, started(), ASK).parents[1]
    mark = store / NAME / f"inuse.{os.getpid()}.lock"
    mark.write_text("")
    os.utime(mark, (1_000_000, 1_000_000))
    assert AGENT.live_sessions(store) == {NAME: False}


def test_the_configured_folder_stands_for_our_own_home_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "mine"))
    monkeypatch.setenv("COPILOT_HOME", str(tmp_path / "told"))
    assert AGENT.homes(tmp_path / "mine") == [tmp_path / "told" / "session-state"]
    theirs = tmp_path / "theirs"
    assert AGENT.homes(theirs) == [theirs / ".copilot" / "session-state"]


@pytest.mark.parametrize(
    ("native", "kind", "prompt", "command"),
    [
        ("s1", "main", None, "cd '/a b' && copilot --resume=s1"),
        ("s;1", "main", "go $(on)", "cd '/a b' && copilot '--resume=s;1' --prompt='go $(on)'"),
        ("-x", "main", None, None),
        ("a1", "subagent", None, None),
    ],
)
def test_resume_commands_are_safe_to_paste(
    native: str, kind: str, prompt: str | None, command: str | None
) -> None:
    facts = SessionFacts("copilot", native, "/a b", kind=kind)
    assert AGENT.resume_command(facts, prompt) == command
