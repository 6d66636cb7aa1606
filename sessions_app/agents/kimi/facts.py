"""What the small files beside Kimi CLI's logs tell about a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sessions_app.agents.base import SourceFile, UnreadableSession
from sessions_app.agents.kimi import files
from sessions_app.agents.kimi.content import fields, word
from sessions_app.agents.kimi.lines import Memory
from sessions_app.agents.lines import BOM, parse, when
from sessions_app.records import (
    TITLE_AGENT,
    TITLE_PROMPT,
    TITLE_RECORD,
    Problem,
    RelationRecord,
    SessionRecord,
)


def record(source: SourceFile, memory: Memory) -> SessionRecord:
    """The session with everything that stands beside its log."""
    own_id, parent = files.session_id(source.path), files.parent_session(source.path)
    out = SessionRecord(
        "kimi", "kimi", f"{parent}/{own_id}" if parent else own_id, backend_session_id=own_id
    )
    out.work_dir, machine = files.work_dir(source.path)
    if machine:
        out.metadata["kaos"] = machine
    for path in source.companions:
        if path.name == files.META:
            _agent(out, small(source, path, out.problems))
        elif path.name == files.STATE:
            _state(out, small(source, path, out.problems))
    if parent:
        out.kind = "subagent"
        memory.spawned_by = memory.spawned_by or _spawned_by(source.path)
        out.relations.append(RelationRecord("subagent", parent, memory.spawned_by))
    return out


def small(source: SourceFile, path: Path, problems: list[Problem]) -> dict[str, Any]:
    """A small JSON document; a broken one is told and costs nothing else."""
    try:
        value = parse(source.content(path, limit=files.SMALL).removeprefix(BOM))
    except (UnreadableSession, ValueError, RecursionError) as error:
        problems.append(Problem(str(path), f"facts of the session: {error}"[:300]))
        return {}
    return fields(value)


def _state(out: SessionRecord, state: dict[str, Any]) -> None:
    out.title = word(state.get("custom_title"))
    if state.get("title_generated") is True:
        out.title_rank = TITLE_AGENT
    else:  # the cut start of some prompt, or what a person wrote
        out.title_rank = TITLE_PROMPT if out.title.endswith("…") else TITLE_RECORD
    if state.get("archived") is True:
        out.metadata["archived"] = True


def _agent(out: SessionRecord, meta: dict[str, Any]) -> None:
    out.title = word(meta.get("description"))
    out.title_rank = TITLE_RECORD if out.title else 0
    out.created_at = when(meta.get("created_at"))
    if kind := word(meta.get("subagent_type")):
        out.metadata["agent_type"] = kind
    spec = fields(meta.get("launch_spec"))
    out.model = word(spec.get("effective_model")) or word(spec.get("model_override"))


def keep_context(source: SourceFile, memory: Memory, out: SessionRecord) -> None:
    """Hand the context's bytes over when it has changed: Kimi CLI goes on from that file."""
    for path in source.companions:
        if path.name != files.CONTEXT:
            continue
        try:
            stat = path.stat()
            if memory.kept != (stat.st_size, stat.st_mtime_ns):
                source.content(path)
                memory.kept = (stat.st_size, stat.st_mtime_ns)
        except (OSError, UnreadableSession) as error:
            out.problems.append(Problem(str(path), f"not kept: {error}"[:300]))


def _spawned_by(path: Path) -> str:
    """The call in the parent's wire that this sub-agent works for."""
    line = files.spawning_line(path.parents[2] / files.WIRE, path.parent.name)
    payload = fields(fields(line.get("message")).get("payload"))
    return word(payload.get("parent_tool_call_id"))
