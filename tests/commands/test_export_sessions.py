from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from sessions_app.models import User
from tests.factories import make_session


def export(*arguments: str) -> str:
    out = StringIO()
    call_command("export_sessions", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def three(owner: User) -> list[str]:
    backends = ("claude", "codex", "codex")
    return [make_session(owner, backend=backend).short_id for backend in backends]


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "sessions.jsonl").read_text().splitlines()]


def test_json_is_a_line_for_each_session(three: list[str], tmp_path: Path) -> None:
    told = json.loads(export("--as", "json", "--to", str(tmp_path / "a"), "--json"))
    size = (tmp_path / "a" / "sessions.jsonl").stat().st_size
    assert told == {"sessions": 3, "files": 1, "bytes": size, "problems": []}
    assert {line["id"] for line in lines(tmp_path / "a")} == set(three)
    shown = StringIO()
    call_command("show_session", three[0], "--json", stdout=shown)
    assert json.loads(shown.getvalue()) in lines(tmp_path / "a")


def test_ids_and_filters_choose(three: list[str], tmp_path: Path) -> None:
    export("--as", "json", "--to", str(tmp_path / "one"), three[1], three[1][:8])
    assert [line["id"] for line in lines(tmp_path / "one")] == [three[1]]
    export("--as", "json", "--to", str(tmp_path / "two"), "--backend", "codex")
    assert {line["id"] for line in lines(tmp_path / "two")} == set(three[1:])


def test_more_sessions_than_a_page_are_all_there(owner: User, tmp_path: Path) -> None:
    for _ in range(205):
        make_session(owner)
    assert "205 sessions: 1 files" in export("--as", "json", "--to", str(tmp_path))
    assert len({line["id"] for line in lines(tmp_path)}) == 205


def test_what_cannot_run_says_why(three: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for arguments in (
        ["--to", str(tmp_path / "file" / "below")],
        ["--to", str(tmp_path), "zzzz"],
        ["--to", str(tmp_path), "--status", "sleeping"],
        ["--to", str(tmp_path), three[0], "--backend", "codex"],
    ):
        with pytest.raises(CommandError) as error:
            export("--as", "json", *arguments)
        assert error.value.returncode == 2
