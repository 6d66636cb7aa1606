"""Merges the parts that readers hand over, the way the writer does, and sums them up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from sessions_app.records import (
    CALL,
    TEXT,
    THINKING,
    ArtifactRecord,
    MessageRecord,
    Problem,
    RelationRecord,
    SessionRecord,
    SnapshotRecord,
    ToolResult,
    UsageRecord,
    extend_blocks,
)

LISTS = ("messages", "results", "usages", "relations", "snapshots", "artifacts", "problems", "tags")
OWN_RULE = ("prompt", "title", "title_rank", "created_at", "last_active", "metadata", "joins",
            "only_if_known")  # fmt: skip
TOKENS = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")


class Folded:
    """One session, merged from its parts."""

    def __init__(self, first: SessionRecord) -> None:
        self.facts = SessionRecord(
            first.agent, first.backend, first.identity, joins=True, only_if_known=True
        )
        self.messages: dict[str, MessageRecord] = {}
        self.results: dict[str, ToolResult] = {}
        self.usages: dict[str, UsageRecord] = {}
        self.relations: dict[tuple[str, str], RelationRecord] = {}
        self.snapshots: dict[int, SnapshotRecord] = {}
        self.artifacts: dict[str, ArtifactRecord] = {}
        self.problems: dict[tuple[str, int, str], Problem] = {}
        self.tags: dict[str, None] = {}

    def add(self, part: SessionRecord) -> None:
        """Merge one more part; the part itself stays as it is."""
        part = msgspec.msgpack.decode(msgspec.msgpack.encode(part), type=SessionRecord)
        self._add_facts(part)
        for message in part.messages:
            self._add_message(message)
        for result in part.results:
            self.results.setdefault(result.call_id, result)
        for usage in part.usages:
            have = self.usages.get(usage.key)
            if have is None or usage.total > have.total:
                self.usages[usage.key] = usage
        for relation in part.relations:
            self.relations[relation.kind, relation.parent_identity] = relation
        self.snapshots.update({snapshot.step: snapshot for snapshot in part.snapshots})
        self.artifacts.update({artifact.path: artifact for artifact in part.artifacts})
        self.problems.update({(p.path, p.line, p.reason): p for p in part.problems})
        self.tags.update(dict.fromkeys(part.tags))

    def _add_message(self, message: MessageRecord) -> None:
        have = self.messages.setdefault(message.key, message)
        if have is not message:
            have.blocks = extend_blocks(have.blocks, message.blocks)
            have.model = message.model or have.model
            have.metadata = {**have.metadata, **message.metadata}

    def _add_facts(self, part: SessionRecord) -> None:
        facts = self.facts
        for field in msgspec.structs.fields(SessionRecord):
            value = getattr(part, field.name)
            if field.name not in LISTS + OWN_RULE and value not in ("", None):
                setattr(facts, field.name, value)
        facts.prompt = facts.prompt or part.prompt
        if part.title and part.title_rank >= facts.title_rank:
            facts.title, facts.title_rank = part.title, part.title_rank
        times = (facts.created_at, part.created_at, facts.last_active, part.last_active)
        facts.created_at = min((at for at in times[:2] if at), default=None)
        facts.last_active = max((at for at in times[2:] if at), default=None)
        facts.metadata = {**facts.metadata, **part.metadata}
        facts.joins = facts.joins and part.joins
        facts.only_if_known = facts.only_if_known and part.only_if_known

    def record(self) -> SessionRecord:
        """Everything as one record; two of them are equal when the sessions are."""
        return msgspec.structs.replace(
            self.facts,
            messages=list(self.messages.values()),
            results=list(self.results.values()),
            usages=list(self.usages.values()),
            relations=list(self.relations.values()),
            snapshots=[self.snapshots[step] for step in sorted(self.snapshots)],
            artifacts=[self.artifacts[path] for path in sorted(self.artifacts)],
            problems=list(self.problems.values()),
            tags=list(self.tags),
        )


def fold(parts: Iterable[SessionRecord]) -> dict[str, SessionRecord]:
    """The sessions that these parts make, by identity."""
    sessions: dict[str, Folded] = {}
    for part in parts:
        if part.identity not in sessions:
            sessions[part.identity] = Folded(part)
        sessions[part.identity].add(part)
    return {identity: folded.record() for identity, folded in sessions.items()}


def summary(record: SessionRecord) -> dict[str, Any]:
    """The keys of expected.json for one session (samples/README.md says what they mean)."""
    facts = {name: getattr(record, name) for name in record.__struct_fields__}
    kinds = Counter(message.kind for message in record.messages)
    blocks = [block for message in record.messages for block in message.blocks]
    calls = {block.call_id for block in blocks if block.kind == CALL}
    answered = {result.call_id: result for result in record.results if result.call_id in calls}
    costs = [usage.cost for usage in record.usages if usage.cost is not None]
    models = {message.model for message in record.messages}
    models |= {usage.model for usage in record.usages}
    return facts | {
        "first": record.created_at,
        "last": record.last_active,
        "user_prompts": kinds["prompt"],
        "assistant_messages": kinds["answer"],
        "kinds": dict(kinds),
        "tool_calls": len(calls),
        "tool_results": len(answered),
        "tool_errors": sum(result.is_error for result in answered.values()),
        "unresolved_calls": len(calls - answered.keys()),
        "tokens": tokens(record.usages),
        "responses": len(record.usages),
        "flagged": sum(usage.flagged for usage in record.usages),
        "cost": str(sum(costs, Decimal(0)).normalize()) if costs else None,
        "models": sorted(models - {""}),
        "parent": record.relations[0].parent_identity if record.relations else None,
        "relations": [[r.kind, r.parent_identity, r.call_id] for r in record.relations],
        "texts": [
            "\n".join(block.text for block in message.blocks if block.kind in (TEXT, THINKING))
            for message in record.messages
        ],
        "snapshots": [item.step for item in record.snapshots if not item.problem],
        "artifacts": [item.path for item in record.artifacts],
        "malformed": len(record.problems),
    }


def tokens(usages: Iterable[UsageRecord]) -> dict[str, int]:
    """Sums of the token counts."""
    usages = list(usages)
    return {name: sum(getattr(usage, name) for usage in usages) for name in TOKENS}


def totals(records: Iterable[SessionRecord]) -> dict[str, Any]:
    """Sums over sessions in which a response that several of them hold counts once."""
    largest: dict[str, UsageRecord] = {}
    for usage in (usage for record in records for usage in record.usages):
        if usage.key not in largest or usage.total > largest[usage.key].total:
            largest[usage.key] = usage
    return {"responses": len(largest), "tokens": tokens(largest.values())}
