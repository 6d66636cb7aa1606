"""Zips out of one place and into another, by command."""

from __future__ import annotations

import json
import zipfile
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from sessions_app.models import AgentSession, User
from tests.factories import make_project, make_session


def run(name: str, *arguments: str) -> str:
    out = StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


def take_in(*arguments: str) -> Any:
    return json.loads(run("import_sessions", *arguments, "--json"))


@pytest.fixture
def packed(owner: User, teammate: User, tmp_path: Path) -> Path:
    for title in ("one", "two"):
        make_session(owner, title=title)
    run("export_sessions", "--as", "zip", "--to", str(tmp_path))
    return tmp_path / "sessions.zip"


# K19
def test_what_goes_out_comes_in(packed: Path) -> None:
    told = take_in(str(packed), "--owner", "teammate")
    assert [item["status"] for item in told["items"]] == ["created", "created"]
    assert told["problems"] == []
    mine = AgentSession.objects.filter(owner__username="teammate")
    assert set(mine.values_list("title", flat=True)) == {"one", "two"}
    again = run("import_sessions", str(packed), "--owner", "teammate")
    assert again == "0 sessions imported, 2 unchanged.\n"
    assert AgentSession.objects.count() == 4


def test_they_go_to_the_project_that_is_named(packed: Path) -> None:
    make_project("webshop")
    take_in(str(packed), "--owner", "teammate", "--project", "webshop")
    assert AgentSession.objects.filter(project__name="webshop").count() == 2


def test_a_bad_one_costs_itself(packed: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"no zip")
    with zipfile.ZipFile(packed, "a") as file:
        file.writestr("README", "hello")
    told = take_in(str(bad), str(tmp_path / "none.zip"), str(packed), "--owner", "teammate")
    assert len(told["items"]) == 2
    names = [problem["path"].removeprefix(f"{tmp_path}/") for problem in told["problems"]]
    assert names == ["bad.zip", "none.zip", "sessions.zip:README"]
    with pytest.raises(SystemExit) as stopped:
        take_in(str(bad), str(packed), "--owner", "teammate", "--strict")
    assert stopped.value.code == 1
    with pytest.raises(CommandError) as refused:
        take_in(str(bad), "--owner", "teammate")
    assert refused.value.returncode == 2


def test_nobody_is_owner_by_chance(packed: Path) -> None:
    with pytest.raises(CommandError):
        take_in(str(packed))
    assert AgentSession.objects.count() == 2
