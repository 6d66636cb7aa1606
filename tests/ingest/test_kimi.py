"""Kimi's files in the store: forks count once, sub-agents hang on their call, bytes are kept."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

import pytest

from sessions_app import packing
from sessions_app.agents.base import PART_SIZE
from sessions_app.agents.resume import resume_command
from sessions_app.models import AgentSession, Message, RawFile, RawPart, Relation, ToolCall, Usage
from tests.ingest.conftest import Read

pytestmark = pytest.mark.django_db(transaction=True)
SAMPLES = Path(__file__).parents[1] / "agents" / "samples"
PARENT = "session_35f06070-5651-4fa5-bb71-268853f0e9ce"
FORK = "session_9985c726-753a-4878-ac66-1b076e530964"
DELEGATING = "session_78e72092-24c1-455c-b3c2-920ad089740f"
OLD_DELEGATING = "18b3ce0e-0bb2-41d6-9ca5-e39073b82e49"


def kept_bytes(path: Path) -> bytes:
    file = RawFile.objects.get(path=str(path))
    parts = RawPart.objects.filter(file=file, generation=file.generation).order_by("offset")
    return b"".join(packing.unpack(part.chunk.data) for part in parts.select_related("chunk"))


def test_a_forks_copied_responses_belong_to_its_parent(read: Read, tmp_path: Path) -> None:
    home = copytree(SAMPLES / "kimi-code" / "real-runs" / "home", tmp_path / "home")
    read(home)
    parent, fork = (AgentSession.objects.get(identity=name) for name in (PARENT, FORK))
    relation = Relation.objects.get(child=fork)
    assert (relation.parent, relation.kind) == (parent, "fork")
    assert (parent.total_tokens, parent.inherited_tokens) == (8323 + 11776 + 478, 0)
    assert fork.inherited_tokens == parent.total_tokens
    assert fork.total_tokens - fork.inherited_tokens == 2643 + 2560 + 135
    assert Usage.objects.filter(session__in=(parent, fork)).count() == 8


@pytest.mark.parametrize(
    ("source", "session", "agent"),
    [("kimi-code", DELEGATING, "agent-0"), ("kimi", OLD_DELEGATING, "adea8dac0")],
)
def test_a_sub_agent_hangs_on_the_call_that_started_it(
    source: str, session: str, agent: str, read: Read, tmp_path: Path
) -> None:
    read(copytree(SAMPLES / source / "real-runs" / "home", tmp_path / "home"))
    child = AgentSession.objects.get(identity=f"{session}/{agent}")
    relation = Relation.objects.get(child=child)
    assert relation.parent is not None
    assert (relation.parent.identity, relation.kind) == (session, "subagent")
    call = ToolCall.objects.get(session=relation.parent, call_id=relation.call_id)
    assert (call.name, json.loads(call.metadata)["agent_id"]) == ("Agent", agent)
    assert resume_command(child) is None


@pytest.mark.parametrize(
    ("source", "command"),
    [
        ("kimi", f"cd /home/dev/projects/webshop && kimi --session {OLD_DELEGATING}"),
        ("kimi-code", f"cd /home/dev/projects/webshop && kimi -r {DELEGATING}"),
    ],
)
def test_each_product_is_resumed_with_its_own_command(
    source: str, command: str, read: Read, tmp_path: Path
) -> None:
    read(copytree(SAMPLES / source / "real-runs" / "home", tmp_path / "home"))
    assert command in [resume_command(session) for session in AgentSession.objects.all()]


def test_both_kimi_layouts_of_one_root_are_read_once_each(read: Read, tmp_path: Path) -> None:
    home = copytree(SAMPLES / "kimi" / "real-runs" / "home", tmp_path / "home")
    copytree(SAMPLES / "sessions-dir" / "store" / "home", home, dirs_exist_ok=True)
    read(home)
    sources = AgentSession.objects.values_list("source", flat=True)
    assert (list(sources).count("kimi"), list(sources).count("sessions-dir")) == (9, 6)
    report = read(home)
    assert (report.parsed, report.messages) == (0, 0)


def test_the_context_that_the_agent_goes_on_from_is_kept_as_it_is(
    read: Read, tmp_path: Path
) -> None:
    home = copytree(SAMPLES / "kimi" / "real-runs" / "home", tmp_path / "home")
    read(home)
    [context] = home.glob(f".kimi/sessions/*/{OLD_DELEGATING}/context.jsonl")
    assert kept_bytes(context) == context.read_bytes()
    context.write_bytes(context.read_bytes()[:3000])  # compacted
    read(home)
    assert kept_bytes(context) == context.read_bytes()


def test_a_wire_of_several_parts_is_stored_with_the_files_beside_it(
    read: Read, tmp_path: Path
) -> None:
    folder = tmp_path / ".kimi" / "sessions" / ("0" * 32) / "s1"
    folder.mkdir(parents=True)
    (folder / "context.jsonl").write_text('{"role": "user", "content": "hello"}\n')
    said = {"type": "TurnBegin", "payload": {"user_input": "x" * (PART_SIZE // 4)}}
    lines = [json.dumps({"timestamp": 1795253237.0 + n, "message": said}) for n in range(9)]
    (folder / "wire.jsonl").write_text("\n".join(lines) + "\n")
    read()
    assert Message.objects.count() == 9
    assert kept_bytes(folder / "context.jsonl") == (folder / "context.jsonl").read_bytes()


def test_a_session_that_grew_out_of_its_context_keeps_both_histories(
    read: Read, tmp_path: Path
) -> None:
    folder = tmp_path / ".kimi" / "sessions" / ("0" * 32) / "s1"
    folder.mkdir(parents=True)
    (folder / "wire.jsonl").write_text('{"type": "metadata", "protocol_version": "1.10"}\n')
    (folder / "context.jsonl").write_text('{"role": "user", "content": "long ago"}\n')
    read()
    said = {"type": "TurnBegin", "payload": {"user_input": "now " + "x" * 600}}
    with (folder / "wire.jsonl").open("a") as wire:
        wire.write(json.dumps({"timestamp": 1795253237.5, "message": said}) + "\n")
    read()
    texts = Message.objects.order_by("seq").values_list("text", flat=True)
    assert [text[:8] for text in texts] == ["long ago", "now xxxx"]
