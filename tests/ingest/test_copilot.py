"""Copilot CLI's sessions in the store: one file holds a session and its sub-agents."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

import pytest

from sessions_app.models import AgentSession, RawFile, Relation, ToolCall, Usage
from tests.agents.copilot import NAME, answer, event, log, started, usage
from tests.ingest.conftest import Read

pytestmark = pytest.mark.django_db(transaction=True)
HOME = Path(__file__).parents[1] / "agents" / "samples" / "copilot" / "real-runs" / "home"
DELEGATING = "3b48655d-49ca-48df-9e32-97d0e5c218c6"
KILLED = "6fef4d4e-9416-484c-8c88-481bab88f48c"


def test_a_sub_agent_of_the_same_file_hangs_on_its_call(read: Read, tmp_path: Path) -> None:
    read(copytree(HOME, tmp_path / "home"))
    relation = Relation.objects.get(kind="subagent")
    assert relation.parent is not None
    assert relation.parent.identity == DELEGATING
    call = ToolCall.objects.get(session=relation.parent, call_id=relation.call_id)
    assert (call.name, json.loads(call.metadata)["agent_id"]) == (
        "task", relation.child.backend_session_id,
    )  # fmt: skip
    assert (relation.parent.total_tokens, relation.child.total_tokens) == (5330, 5274)
    assert not Usage.objects.filter(session=None).exists()
    assert [file.session for file in RawFile.objects.filter(path__contains=DELEGATING)] == [
        relation.parent
    ] * 2


def test_nothing_new_parses_nothing(read: Read, tmp_path: Path) -> None:
    home = copytree(HOME, tmp_path / "home")
    assert len(read(home).created) == 9
    again = read(home)
    assert (again.parsed, again.messages, len(again.updated)) == (0, 0, 0)


def test_a_killed_session_is_crashed_at_once_by_its_mark(read: Read, tmp_path: Path) -> None:
    copytree(HOME, tmp_path, dirs_exist_ok=True)
    read(paths=None)
    rows = AgentSession.objects.filter(kind="main").values_list("identity", "status")
    crashed = [identity for identity, status in rows if status == "crashed"]
    assert crashed == [KILLED]


def test_a_sub_agent_grows_with_the_file(read: Read, tmp_path: Path) -> None:
    lines = [
        started(), event("user.message", content="go"), answer("", "c1"),
        event("subagent.started", "a1", toolCallId="c1", agentDescription="count"),
        event("user.message", "a1", content="count"),
        usage("r1", 10, 5, agent="a1"), answer("one", response="r1", agent="a1"),
        usage("r2", 20, 5), answer("done", response="r2"),
    ]  # fmt: skip
    for end in range(2, len(lines) + 1):
        log(tmp_path, *lines[:end])
        read()
    main = AgentSession.objects.get(identity=NAME)
    child = AgentSession.objects.get(identity=f"{NAME}/a1")
    assert (main.message_count, main.total_tokens) == (3, 25)
    assert (child.message_count, child.total_tokens, child.title) == (2, 15, "count")
    assert Relation.objects.get(child=child).call_id == "c1"


def test_a_rewritten_file_replaces_both(read: Read, tmp_path: Path) -> None:
    lines = [started(), event("user.message", content="go"), answer("one", agent="a1")]
    log(tmp_path, *lines)
    read()
    log(tmp_path, {**lines[0], "extra": 1}, lines[1], answer("two", agent="a1"))
    read()
    child = AgentSession.objects.get(identity=f"{NAME}/a1")
    assert [message.text for message in child.messages.all()] == ["two"]
