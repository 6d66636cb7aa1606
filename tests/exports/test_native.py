"""Every sample of every agent comes back byte for byte after its files are gone."""

from __future__ import annotations

import json
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from sessions_app.agents import AGENTS
from sessions_app.exports.folder import AlreadyThere, write_file
from sessions_app.exports.native import safe_parts
from sessions_app.ingest.run import Wish, ingest
from sessions_app.models import AgentSession, RawFile, User
from sessions_app.models.session import audience_of_user
from tests.ingest.talks import Talk, subagent, write_subagent

pytestmark = pytest.mark.django_db

SAMPLES = Path(__file__).parents[1] / "agents" / "samples"
CASES = sorted(path.parent for path in SAMPLES.glob("*/*/expected.json"))
BY_NAME = {agent.name: agent for agent in AGENTS}


def case_name(case: Path) -> str:
    return f"{case.parent.name}-{case.name}"


ESCAPES = [
    ("/etc/passwd", ("etc", "passwd")),
    (
        "/home/dev/.claude/../../../../etc/passwd",
        ("home", "dev", ".claude", *["_"] * 4, "etc", "passwd"),
    ),
    ("..", ("_",)),
    ("/", ("file",)),
    ("", ("file",)),
    ("a/./b//c", ("a", "b", "c")),
    ("..\\..\\x.jsonl", (".._.._x.jsonl",)),
    ("C:\\Users\\dev\\.claude\\x.jsonl", ("C:", "Users", "dev", ".claude", "x.jsonl")),
    ("a/.. /b", ("a", "_", "b")),
    ("nul\0byte", ("nul_byte",)),
]


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def read(owner: User, home: Path, source: str) -> None:
    ingest(Wish(owner=owner, home=home, paths=[home], sources={source}, jobs=0, host="desk"))


def exported(to: Path, *arguments: str) -> dict[str, bytes]:
    call_command("export_sessions", *arguments, "--as", "native", "--to", str(to), "--kind", "all")
    return files_below(to)


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_a_sample_is_written_back_byte_for_byte(case: Path, owner: User, tmp_path: Path) -> None:
    inside = "home" if (case / "home").is_dir() else "files"
    home = Path(shutil.copytree(case / inside, tmp_path / inside))
    before = files_below(home)
    read(owner, home, case.parent.name)
    told = {
        Path(file.path).relative_to(home).as_posix()
        for file in RawFile.objects.exclude(session=None).exclude(path__contains=".db#")
    }
    shutil.rmtree(home)

    found = exported(tmp_path / "out")
    if inside == "files":  # lay in no agent's home: the whole path stands for it
        start = f"{tmp_path.as_posix().lstrip('/')}/files/"
        found = {name.removeprefix(start): data for name, data in found.items()}
    rows = {name for name in found if ".db#" in name}
    assert found.keys() - rows == told
    assert {name: found[name] for name in told} == {name: before[name] for name in told}
    assert told or rows


def sessions_of(owner: User) -> dict[str, tuple[int, int, int]]:
    rows = AgentSession.objects.filter(owner=owner)
    return {row.identity: (row.message_count, row.tool_calls, row.total_tokens) for row in rows}


WHOLE = [case for case in CASES if case.parent.name != "opencode" and (case / "home").is_dir()]


@pytest.mark.parametrize("case", WHOLE, ids=case_name)
def test_the_agent_reads_back_what_was_written(
    case: Path, owner: User, teammate: User, tmp_path: Path
) -> None:
    home = Path(shutil.copytree(case / "home", tmp_path / "home"))
    read(owner, home, case.parent.name)
    exported(tmp_path / "out")
    read(teammate, tmp_path / "out", case.parent.name)
    mine = sessions_of(owner)
    theirs = sessions_of(teammate)
    assert {name: theirs.get(name) for name in mine} == mine


def test_a_session_brings_its_subagents_and_what_lies_beside_them(
    owner: User, tmp_path: Path
) -> None:
    talk = Talk("aaaaaaaa").turns(2).calls("toolu_1")
    talk.write(tmp_path / "home")
    write_subagent(talk, subagent(talk, "one", "toolu_1"), tmp_path / "home", "toolu_1")
    Talk("bbbbbbbb").turns(1).write(tmp_path / "home")
    read(owner, tmp_path / "home", "claude-code")
    session = AgentSession.objects.get(identity=talk.name)
    told = report("--as", "native", "--to", str(tmp_path / "out"), session.short_id)
    assert (told["sessions"], told["files"], told["problems"]) == (1, 3, [])
    before, after = files_below(tmp_path / "home"), files_below(tmp_path / "out")
    assert after == {name: data for name, data in before.items() if "aaaaaaaa" in name}
    assert told["bytes"] == sum(map(len, after.values()))


def report(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("export_sessions", *arguments, "--json", stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def test_what_a_rewritten_file_held_before_is_given_on_demand(owner: User, tmp_path: Path) -> None:
    talk = Talk("aaaaaaaa").turns(5)
    path = talk.write(tmp_path / "home")
    read(owner, tmp_path / "home", "claude-code")
    talk.write(tmp_path / "home", 4, mtime=1_780_000_500)
    read(owner, tmp_path / "home", "claude-code")
    assert exported(tmp_path / "now") == files_below(tmp_path / "home")
    found = exported(tmp_path / "all", "--older")
    assert sorted(found.values()) == sorted([talk.data(4), talk.data()])
    assert found[f".claude/projects/-home-dev-shop/{path.name}.generation-1"] == talk.data()


def test_several_homes_are_kept_apart(owner: User, tmp_path: Path) -> None:
    for name in ("one", "two"):
        Talk("aaaaaaaa" if name == "one" else "bbbbbbbb").turns(1).write(tmp_path / name)
        read(owner, tmp_path / name, "claude-code")
    found = exported(tmp_path / "out")
    above = f"desk/{tmp_path.as_posix().lstrip('/')}"
    assert {name.partition("/.claude")[0] for name in found} == {f"{above}/one", f"{above}/two"}


def test_nothing_is_overwritten_and_again_is_no_problem(owner: User, tmp_path: Path) -> None:
    Talk("aaaaaaaa").turns(1).write(tmp_path / "home")
    read(owner, tmp_path / "home", "claude-code")
    first = exported(tmp_path / "out")
    assert exported(tmp_path / "out") == first
    [name] = first
    (tmp_path / "out" / name).write_bytes(b"mine")
    arguments = ["export_sessions", "--as", "native", "--to", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as stop:
        call_command(*arguments, "--strict")
    assert stop.value.code == 1
    assert (tmp_path / "out" / name).read_bytes() == b"mine"


@pytest.mark.parametrize(("path", "parts"), ESCAPES)
def test_a_path_from_outside_leads_nowhere_but_down(path: str, parts: tuple[str, ...]) -> None:
    assert safe_parts(path) == parts


@pytest.mark.parametrize("path", [path for path, _ in ESCAPES])
def test_no_name_in_the_store_leaves_the_folder(owner: User, tmp_path: Path, path: str) -> None:
    Talk("aaaaaaaa").turns(1).write(tmp_path / "home")
    read(owner, tmp_path / "home", "claude-code")
    RawFile.objects.update(path=path.replace("\0", "?"), host="../../up")
    (tmp_path / "inner").mkdir()
    found = exported(tmp_path / "inner" / "out")
    assert len(found) == 1
    assert files_below(tmp_path / "inner") == {f"out/{name}": data for name, data in found.items()}


def test_long_names_are_cut_but_stay_different() -> None:
    one, two = safe_parts("长" * 300 + "1.jsonl"), safe_parts("长" * 300 + "2.jsonl")
    assert one != two
    assert all(len(name.encode()) <= 200 and name.endswith(".jsonl") for (name,) in (one, two))


def test_no_link_in_the_folder_is_followed(tmp_path: Path) -> None:
    out, aside = tmp_path / "out", tmp_path / "aside"
    out.mkdir()
    aside.mkdir()
    (out / "folder").symlink_to(aside)
    (out / "file").symlink_to(aside / "file")
    with pytest.raises(OSError):
        write_file(out, ("folder", "x"), [b"x"])
    with pytest.raises(AlreadyThere):
        write_file(out, ("file",), [b"x"])
    for name in ("..", ".", "", "a/b"):
        with pytest.raises(ValueError):
            write_file(out, (name, "x"), [b"x"])
    assert list(aside.iterdir()) == []
    assert sorted(path.name for path in out.iterdir()) == ["file", "folder"]


def test_a_name_that_is_a_folder_there_is_told(owner: User, tmp_path: Path) -> None:
    Talk("aaaaaaaa").turns(1).write(tmp_path / "home")
    read(owner, tmp_path / "home", "claude-code")
    [name] = exported(tmp_path / "first")
    (tmp_path / "out" / name).mkdir(parents=True)
    told = report("--as", "native", "--to", str(tmp_path / "out"))
    assert [item["path"] for item in told["problems"]] == [name]


def test_rows_of_a_database_are_lines_of_json(owner: User, tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "opencode" / "real-runs" / "home", tmp_path / "home")
    read(owner, tmp_path / "home", "opencode")
    found = exported(tmp_path / "out")
    folder = ".local/share/opencode/opencode.db#"
    names = {f"{folder}{row.identity}.jsonl" for row in AgentSession.objects.all()}
    assert found.keys() == names
    for data in found.values():
        rows = [json.loads(line) for line in data.splitlines()]
        assert {row["table"] for row in rows} >= {"session", "message", "part"}


def test_only_what_a_person_may_see_is_given(owner: User, stranger: User, tmp_path: Path) -> None:
    Talk("aaaaaaaa").turns(1).write(tmp_path / "home")
    read(owner, tmp_path / "home", "claude-code")
    AgentSession.objects.update(audience=audience_of_user(owner.pk))
    assert exported(tmp_path / "theirs", "--user", "stranger") == {}
    assert len(exported(tmp_path / "mine", "--user", "owner")) == 1
