"""What must hold of the store after whatever was done to it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, Sum

from sessions_app import packing
from sessions_app.actions.rollup import SUMS, quarter_of
from sessions_app.actions.storage import stored_path
from sessions_app.models import (
    AgentSession,
    Artifact,
    Attachment,
    Message,
    RawChunk,
    RawFile,
    RawPart,
    Relation,
    SessionUsage,
    StatusChange,
    StoredFile,
    ToolCall,
    Usage,
    UsageRollup,
)
from sessions_app.models.fields import NANO

OVER = ("completed", "error", "crashed")
HISTORY = (Relation.Kind.FORK, Relation.Kind.CONTINUATION)


def check_invariants() -> None:
    """Assert that counters, sums, links and raw bytes agree with the rows they speak of."""
    for session in AgentSession.objects.order_by("pk"):
        check_messages(session)
        check_tokens(session)
        check_status(session)
        raw = RawFile.objects.filter(session=session).aggregate(size=Sum("raw_size"))["size"] or 0
        assert session.size_bytes == raw, f"{session.identity}: {session.size_bytes} != {raw}"
    check_calls()
    check_rollups()
    check_relations()
    check_raw()
    check_stored_files()


def check_messages(session: AgentSession) -> None:
    rows = list(
        Message.objects.filter(session=session)
        .order_by("seq")
        .values_list("seq", "revision", "role", "kind")
    )
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1)), session.identity
    calls = ToolCall.objects.filter(session=session).aggregate(
        every=Count("pk"), errors=Count("pk", Q(is_error=True)), open=Count("pk", Q(ended=False))
    )
    counted = {
        "last_seq": len(rows),
        "message_count": len(rows),
        "user_messages": sum(kind == "prompt" for _, _, _, kind in rows),
        "assistant_messages": sum(row[2:] == ("assistant", "answer") for row in rows),
        "tool_calls": calls["every"],
        "tool_errors": calls["errors"],
        "open_tool_calls": calls["open"],
    }
    assert {name: getattr(session, name) for name in counted} == counted, session.identity
    assert all(revision <= session.revision for _, revision, _, _ in rows), session.identity


def check_tokens(session: AgentSession) -> None:
    links = SessionUsage.objects.filter(session=session).select_related("usage", "message")
    sums: dict[str, Any] = defaultdict(int)
    money: dict[str, Decimal] = defaultdict(Decimal)
    for link in links:
        usage = link.usage
        total = usage.input + usage.output + usage.cache_read + usage.cache_write
        cost = usage.cost or Decimal(0)
        for name in ("input", "output", "cache_read", "cache_write", "reasoning"):
            sums[f"{name}_tokens"] += getattr(usage, name)
        sums["total_tokens"] += total
        sums["unpriced_responses"] += usage.cost is None and total > 0
        money["cost"] += cost
        money["recorded_cost"] += cost if usage.is_recorded else 0
        if usage.session_id != session.pk:
            sums["inherited_tokens"] += total
            money["inherited_cost"] += cost
        assert link.message is None or link.message.session_id == session.pk
    for name, value in {**sums, **money}.items():
        assert getattr(session, name) == value, f"{session.identity}: {name}"
    if not sums:
        assert (session.total_tokens, session.cost) == (0, 0), session.identity


def check_status(session: AgentSession) -> None:
    last = StatusChange.objects.filter(session=session).order_by("-pk").first()
    assert last is not None and last.status == session.status, session.identity
    assert last.reason
    assert (session.ended_at is not None) == (session.status in OVER), session.identity


def check_calls() -> None:
    """Places inside a message are dense, and the layout names as many pieces as there are."""
    calls: dict[int, list[int]] = defaultdict(list)
    for call in ToolCall.objects.select_related("message").defer("input_packed", "output_packed"):
        assert call.message.session_id == call.session_id
        calls[call.message_id].append(call.ordinal)
    images: dict[int, list[int]] = defaultdict(list)
    own: dict[int, int] = defaultdict(int)
    for message, ordinal, call_id in Attachment.objects.values_list(
        "message", "ordinal", "call_id"
    ):
        images[message].append(ordinal)
        own[message] += not call_id
    for places in (*calls.values(), *images.values()):
        assert sorted(places) == list(range(len(places)))
    for row in Message.objects.exclude(layout="").iterator():
        pieces = packing.pieces(
            row.text, row.thinking, row.layout, calls=len(calls[row.pk]), images=own[row.pk]
        )
        assert sum(piece.kind == "tool_use" for piece in pieces) == len(calls[row.pk])
        assert sum(piece.kind == "image" for piece in pieces) == own[row.pk]


def check_rollups() -> None:
    sums: dict[tuple[Any, ...], list[Any]] = {}
    for usage in Usage.objects.exclude(session=None):
        key = (usage.session_id, quarter_of(usage.at), usage.model)
        total = usage.input + usage.output + usage.cache_read + usage.cache_write
        cost = usage.cost or Decimal(0)
        unpriced = usage.cost is None and total > 0
        values = (
            1, usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning,
            cost, cost if usage.is_recorded else Decimal(0), int(unpriced),
            total if unpriced else 0,
        )  # fmt: skip
        have = sums.setdefault(key, [0] * len(SUMS))
        sums[key] = [one + two for one, two in zip(have, values, strict=True)]
    stored = {
        row[:3]: list(row[3:])
        for row in UsageRollup.objects.values_list("session", "quarter", "model", *SUMS)
    }
    assert stored == sums


def check_relations() -> None:
    """One link of a kind between two sessions, and shared usage is never the copy's own."""
    seen = set()
    for relation in Relation.objects.exclude(parent=None):
        pair = (relation.child_id, relation.parent_id, relation.kind)
        assert pair not in seen, relation
        seen.add(pair)
        assert (relation.parent_id, relation.child_id, relation.kind) not in seen, relation
        if relation.kind in HISTORY:
            both = SessionUsage.objects.filter(session=relation.parent).values("usage")
            assert not Usage.objects.filter(session=relation.child, pk__in=both).exists(), relation
    forks = Relation.objects.filter(kind=Relation.Kind.FORK).values("child")
    assert not forks.annotate(count=Count("pk")).filter(count__gt=1).exists()


def raw_bytes(file: RawFile, generation: int | None = None) -> bytes:
    """A file's stored bytes, its parts being without gap or overlap."""
    out = bytearray()
    parts = RawPart.objects.filter(file=file, generation=generation or file.generation)
    for part in parts.order_by("offset").select_related("chunk"):
        data = packing.unpack(part.chunk.data)
        assert part.offset == len(out), f"{file.path}: part at {part.offset}, not {len(out)}"
        assert part.chunk.size == len(data) > 0
        assert bytes(part.chunk.sha256) == hashlib.sha256(data).digest()
        out += data
    return bytes(out)


def check_raw() -> None:
    for file in RawFile.objects.all():
        assert len(raw_bytes(file)) == file.raw_size, file.path
        assert file.offset <= max(file.raw_size, 0), file.path
    assert not RawChunk.objects.filter(parts=None).exists()


def check_stored_files() -> None:
    hashes = {
        *Attachment.objects.values_list("sha256", flat=True),
        *Artifact.objects.values_list("sha256", flat=True),
    }
    sizes = dict(StoredFile.objects.values_list("sha256", "size"))
    for sha256 in hashes:
        data = stored_path(sha256).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (sha256, sizes[sha256])


def nano(amount: Decimal) -> int:
    """USD as whole billionths."""
    return int(amount * NANO)
