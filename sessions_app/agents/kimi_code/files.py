"""Where Kimi Code's wires lie, and what the small file beside them tells about a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sessions_app.agents.base import SourceFile
from sessions_app.agents.folders import Folder
from sessions_app.agents.kimi.content import fields, word
from sessions_app.agents.kimi.facts import small
from sessions_app.agents.kimi.files import document, spawning_line
from sessions_app.agents.kimi_code.lines import Memory
from sessions_app.agents.kimi_code.words import ending
from sessions_app.agents.lines import when
from sessions_app.records import (
    TITLE_CUSTOM,
    TITLE_PROMPT,
    TITLE_RECORD,
    RelationRecord,
    SessionRecord,
)

WIRE, STATE, MAIN = "wire.jsonl", "state.json", "main"


def is_wire(path: Path) -> bool:
    """Whether this is the wire of an agent, by its place."""
    return path.name == WIRE and path.parent.parent.name == "agents"


def sources(folder: Folder, root: Path) -> Iterator[SourceFile]:
    """The wires of one session's `agents`; the small file belongs to that of the main agent."""
    state = folder.path.parent / STATE
    for name in folder.folders:
        if WIRE in Folder(folder.path / name).files:
            has_state = name == MAIN and state.is_file() and not state.is_symlink()
            companions = (state,) if has_state else ()
            yield SourceFile(folder.path / name / WIRE, root=root, companions=companions)


def record(source: SourceFile, memory: Memory) -> SessionRecord:
    """The session, or the sub-agent, with everything that stands beside its wire."""
    session, agent = source.path.parents[2].name, source.path.parent.name
    if agent != MAIN:
        return _agent(source.path, session, agent, memory)
    out = SessionRecord("kimi-code", "kimi-code", session, backend_session_id=session)
    state: dict[str, Any] = {}
    for path in source.companions:
        state = small(source, path, out.problems)
    out.work_dir = word(state.get("cwd")) or word(state.get("workDir"))
    memory.has_folder = memory.has_folder or bool(out.work_dir)
    out.title = word(state.get("title"))
    out.title_rank = _rank(state) if out.title else 0
    if state.get("archived") is True:
        out.metadata["archived"] = True
    out.created_at = when(state.get("createdAt"))
    if parent := word(state.get("forkedFrom")):
        out.relations.append(RelationRecord("fork", parent))
    if not memory.has_content and (reason := word(state.get("lastTurnReason"))):
        out.turn = ending(reason)  # until the wire tells it better
    return out


def _rank(state: dict[str, Any]) -> int:
    if state.get("isCustomTitle") is True:
        return TITLE_CUSTOM
    return TITLE_PROMPT if state.get("titleKind") == "replaceable" else TITLE_RECORD


def _agent(path: Path, session: str, agent: str, memory: Memory) -> SessionRecord:
    """A sub-agent; the session's small file is read without being a companion of it."""
    state = document(path.parents[2] / STATE)
    own = fields(fields(state.get("agents")).get(agent))
    parent = word(own.get("parentAgentId")) or MAIN
    told: dict[str, Any] = {}
    if not memory.spawned_by:
        told = spawning_line(_wire_of(parent, path), agent)
        memory.spawned_by = word(told.get("parentToolCallId"))
    above = session if parent == MAIN else f"{session}/{parent}"
    out = SessionRecord(
        "kimi-code", "kimi-code", f"{session}/{agent}", agent, kind="subagent",
        title=word(told.get("description")),
        work_dir=word(state.get("cwd")) or word(state.get("workDir")),
        relations=[RelationRecord("subagent", above, memory.spawned_by)],
    )  # fmt: skip
    out.title_rank = TITLE_RECORD if out.title else 0
    memory.has_folder = memory.has_folder or bool(out.work_dir)
    if kind := word(fields(own.get("labels")).get("profileName")):
        out.metadata["agent_type"] = kind
    return out


def _wire_of(agent: str, beside: Path) -> Path:
    """The wire of another agent of the session; a name that is no plain name leads nowhere."""
    return beside.parents[1] / Path(agent).name / WIRE
