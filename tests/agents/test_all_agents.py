"""Every sample of every agent: what it yields, and that reading in two steps changes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sessions_app.agents import AGENTS
from sessions_app.agents.base import Agent, SourceFile, UnreadableSession
from sessions_app.records import Position, SessionRecord
from tests.agents.fold import fold, summary, totals

SAMPLES = Path(__file__).parent / "samples"
BY_NAME = {agent.name: agent for agent in AGENTS}
CASES = sorted(path.parent for path in SAMPLES.glob("*/*/expected.json"))
LINE_LOGS = ("claude-code", "codex", "gemini", "qwen", "kimi", "kimi-code", "copilot", "droid")
MID_LINE_CUTS_BELOW = 16 * 1024  # bytes; larger samples are cut at their lines only
TWO_STEPS = 40  # longer samples are read in two steps at so many places, and once in every step


def case_name(case: Path) -> str:
    return f"{case.parent.name}-{case.name}"


def roots(agent: Agent, case: Path) -> list[Path]:
    return agent.homes(case / "home") if (case / "home").is_dir() else [case / "files"]


def sources(agent: Agent, case: Path) -> Iterator[SourceFile]:
    for root in roots(agent, case):
        yield from agent.session_files(root)


def read_case(agent: Agent, case: Path) -> tuple[dict[str, SessionRecord], list[str]]:
    parts: list[SessionRecord] = []
    unreadable: list[str] = []
    for source in sources(agent, case):
        try:
            parts += agent.read(source, None)
        except UnreadableSession:
            unreadable.append(source.path.name)
    return fold(parts), sorted(unreadable)


def comparable(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """Of `found` what `expected` names, with times as the file writes them."""
    out: dict[str, Any] = {}
    for key, wanted in expected.items():
        value = found[key]
        if isinstance(value, datetime):
            value = wanted if value == datetime.fromisoformat(wanted) else value.isoformat()
        elif key == "tokens":
            value = {name: value[name] for name in wanted}
        out[key] = value
    return out


def test_every_agent_has_a_sample_and_every_sample_an_agent() -> None:
    assert {case.parent.name for case in CASES} == set(BY_NAME)


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_a_sample_yields_what_is_expected(case: Path) -> None:
    agent = BY_NAME[case.parent.name]
    expected = json.loads((case / "expected.json").read_text("utf-8"))
    sessions, unreadable = read_case(agent, case)

    assert sorted(sessions) == sorted(expected["sessions"])
    for identity, wanted in expected["sessions"].items():
        assert comparable(summary(sessions[identity]), wanted) == wanted, identity
    if wanted := expected.get("totals"):
        assert comparable(totals(sessions.values()), wanted) == wanted
    if (live := expected.get("live")) is not None:
        found = [agent.live_sessions(root) for root in roots(agent, case)]
        assert {identity: alive for item in found for identity, alive in item.items()} == live
    assert unreadable == expected.get("unreadable", [])


LOGS = [
    pytest.param(case, source.path.relative_to(case), id=f"{case_name(case)}-{source.path.name}")
    for case in CASES
    if case.parent.name in LINE_LOGS
    for source in sources(BY_NAME[case.parent.name], case)
    if source.path.suffix == ".jsonl"
]


def cuts(data: bytes) -> Iterator[int]:
    """After every line; in smaller files also inside each line and just before its end."""
    start = 0
    while newline := data.find(b"\n", start) + 1:
        if len(data) < MID_LINE_CUTS_BELOW:
            yield from {(start + newline) // 2, newline - 1}
        yield newline
        start = newline


@pytest.mark.parametrize(("case", "log"), LOGS)
def test_reading_in_two_steps_is_reading_at_once(case: Path, log: Path, tmp_path: Path) -> None:
    agent = BY_NAME[case.parent.name]
    original = next(item for item in sources(agent, case) if item.path == case / log)
    at_once = fold(read_again(agent, original, None)[0])
    data = original.path.read_bytes()
    # The whole case: readers may look at small files that many sessions share.
    shutil.copytree(case, tmp_path, dirs_exist_ok=True)
    copy = tmp_path / log
    companions = tuple(tmp_path / path.relative_to(case) for path in original.companions)
    at_once = moved(at_once, case, tmp_path)
    places = list(cuts(data))
    few = places[:: len(places) // TWO_STEPS + 1]
    for steps in [*([cut] for cut in few), places]:
        parts: list[SessionRecord] = []
        position = None
        for cut in [*steps, len(data)]:
            copy.write_bytes(data[:cut])
            source = SourceFile(copy, root=tmp_path, companions=companions)
            more, position = read_again(agent, source, position)
            parts = more if source.replaces else parts + more
        assert fold(parts) == at_once, f"cut at bytes {steps}"


def read_again(
    agent: Agent, source: SourceFile, after: Position | None
) -> tuple[list[SessionRecord], Position | None]:
    """The parts, and the position as it would come back from the database."""
    try:
        parts = list(agent.read(source, after))
    except UnreadableSession:
        return [], None
    return parts, msgspec.msgpack.decode(msgspec.msgpack.encode(source.end), type=Position)


def moved(sessions: dict[str, SessionRecord], old: Path, new: Path) -> dict[str, SessionRecord]:
    """The same sessions with their paths below another folder."""
    for record in sessions.values():
        for item in record.problems:
            item.path = item.path.replace(str(old), str(new))
    return sessions
