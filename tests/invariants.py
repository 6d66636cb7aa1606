"""What must hold of the store after whatever was done to it. A fixed number of queries."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from sessions_app import packing
from sessions_app.actions.rollup import SUMS, quarter_of
from sessions_app.actions.search_index import catch_up
from sessions_app.actions.search_rebuild import differences
from sessions_app.actions.storage import stored_path
from sessions_app.actions.tokens import UsageRow, usage_rows
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

OVER = ("completed", "error", "crashed")
HISTORY = (Relation.Kind.FORK, Relation.Kind.CONTINUATION)


def check_invariants() -> None:
    """Assert that counters, sums, links and raw bytes agree with the rows they speak of."""
    sessions = list(AgentSession.objects.order_by("pk"))
    check_messages(sessions)
    check_calls()
    check_tokens(sessions)
    check_rollups()
    check_relations()
    check_status(sessions)
    check_raw(sessions)
    check_stored_files()
    catch_up()  # rows that a test made without any action
    assert differences() == []


def check_messages(sessions: Iterable[AgentSession]) -> None:
    rows: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in Message.objects.order_by("seq").values_list(
        "session", "seq", "revision", "role", "kind"
    ):
        rows[row[0]].append(row[1:])
    every, errors, waiting = Counter[int](), Counter[int](), Counter[int]()
    for session, is_error, ended in ToolCall.objects.values_list("session", "is_error", "ended"):
        every[session] += 1
        errors[session] += is_error
        waiting[session] += not ended
    for item in sessions:
        mine = rows[item.pk]
        # Dense up to the last; a conversation that was cleared goes on where it was.
        first = item.last_seq - len(mine) + 1
        assert [row[0] for row in mine] == list(range(first, item.last_seq + 1)), item.identity
        assert all(row[1] <= item.revision for row in mine), item.identity
        counted = {
            "message_count": len(mine),
            "user_messages": sum(row[3] == "prompt" for row in mine),
            "assistant_messages": sum(row[2:] == ("assistant", "answer") for row in mine),
            "tool_calls": every[item.pk],
            "tool_errors": errors[item.pk],
            "open_tool_calls": waiting[item.pk],
        }
        assert {name: getattr(item, name) for name in counted} == counted, item.identity


def check_calls() -> None:
    """Places inside a message are dense, and the layout names as many pieces as there are."""
    calls: dict[int, list[int]] = defaultdict(list)
    for message, ordinal, session, owner in ToolCall.objects.values_list(
        "message", "ordinal", "session", "message__session"
    ):
        assert session == owner
        calls[message].append(ordinal)
    images: dict[int, list[int]] = defaultdict(list)
    own = Counter[int]()
    for message, ordinal, call_id in Attachment.objects.values_list(
        "message", "ordinal", "call_id"
    ):
        images[message].append(ordinal)
        own[message] += not call_id
    for places in (*calls.values(), *images.values()):
        assert sorted(places) == list(range(len(places)))
    for row in Message.objects.exclude(layout="").values_list("pk", "text", "thinking", "layout"):
        pieces = packing.pieces(*row[1:], calls=len(calls[row[0]]), images=own[row[0]])
        assert sum(piece.kind == "tool_use" for piece in pieces) == len(calls[row[0]])
        assert sum(piece.kind == "image" for piece in pieces) == own[row[0]]


def check_tokens(sessions: Iterable[AgentSession]) -> None:
    usages = {usage.pk: usage for usage in usage_rows(Usage.objects.all())}
    held: dict[int, list[UsageRow]] = defaultdict(list)
    links = SessionUsage.objects.values_list("session", "usage", "message__session")
    for holder, usage_id, message_session in links:
        held[holder].append(usages[usage_id])
        assert message_session in (None, holder)
    for session in sessions:
        mine = held[session.pk]
        inherited = [usage for usage in mine if usage.session_id != session.pk]
        counted = {
            "input_tokens": sum(usage.input for usage in mine),
            "output_tokens": sum(usage.output for usage in mine),
            "cache_read_tokens": sum(usage.cache_read for usage in mine),
            "cache_write_tokens": sum(usage.cache_write for usage in mine),
            "reasoning_tokens": sum(usage.reasoning for usage in mine),
            "total_tokens": sum(usage.total for usage in mine),
            "inherited_tokens": sum(usage.total for usage in inherited),
            "unpriced_responses": sum(usage.cost is None and usage.total > 0 for usage in mine),
            "cost": sum((usage.cost or 0 for usage in mine), Decimal(0)),
            "recorded_cost": sum((usage.cost or 0 for usage in mine if usage.is_recorded), 0),
            "inherited_cost": sum((usage.cost or 0 for usage in inherited), Decimal(0)),
        }
        assert {name: getattr(session, name) for name in counted} == counted, session.identity


def check_rollups() -> None:
    sums: dict[tuple[Any, ...], list[Any]] = {}
    for usage in usage_rows(Usage.objects.exclude(session=None)):
        key = (usage.session_id, quarter_of(usage.at), usage.model)
        cost = usage.cost or Decimal(0)
        unpriced = usage.cost is None and usage.total > 0
        values = (
            1, usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning,
            cost, cost if usage.is_recorded else Decimal(0), int(unpriced),
            usage.total if unpriced else 0,
        )  # fmt: skip
        have = sums.setdefault(key, [0] * len(SUMS))
        sums[key] = [one + two for one, two in zip(have, values, strict=True)]
    rows = UsageRollup.objects.values_list("session", "quarter", "model", *SUMS)
    assert {row[:3]: list(row[3:]) for row in rows} == sums


def check_relations() -> None:
    """One link of a kind between two sessions, and shared usage is never the copy's own."""
    links = Relation.objects.exclude(parent=None).values_list("child", "parent", "kind")
    pairs = Counter(links)
    assert all(count == 1 for count in pairs.values()), pairs
    assert not any((parent, child, kind) in pairs for child, parent, kind in pairs), pairs
    forks = Counter(child for child, _, kind in pairs if kind == Relation.Kind.FORK)
    assert all(count == 1 for count in forks.values()), pairs
    history = {(child, parent) for child, parent, kind in pairs if kind in HISTORY}
    held = SessionUsage.objects.filter(session__in={parent for _, parent in history})
    for parent, owner in held.values_list("session", "usage__session").distinct():
        assert (owner, parent) not in history, "a fork owns what its parent holds"


def check_status(sessions: Iterable[AgentSession]) -> None:
    last = {
        session: (status, reason)
        for session, status, reason in StatusChange.objects.order_by("pk").values_list(
            "session", "status", "reason"
        )
    }
    for session in sessions:
        assert last[session.pk][0] == session.status, session.identity
        assert last[session.pk][1], session.identity
        assert (session.ended_at is not None) == (session.status in OVER), session.identity


def raw_bytes(file: RawFile, generation: int | None = None) -> bytes:
    """One file as it was read, by default in its present generation."""
    return all_raw_bytes().get((file.pk, generation or file.generation), b"")


def all_raw_bytes() -> dict[tuple[int, int], bytes]:
    """(file, generation) -> its stored bytes, its parts being without gap or overlap."""
    out: dict[tuple[int, int], bytearray] = defaultdict(bytearray)
    parts = RawPart.objects.order_by("file", "generation", "offset")
    for file, generation, offset, size, sha256, packed in parts.values_list(
        "file", "generation", "offset", "chunk__size", "chunk__sha256", "chunk__data"
    ):
        data = packing.unpack(packed)
        place = out[file, generation]
        assert offset == len(place), f"part at {offset}, not {len(place)}"
        assert size == len(data) > 0
        assert bytes(sha256) == hashlib.sha256(data).digest()
        place += data
    return {key: bytes(value) for key, value in out.items()}


def check_raw(sessions: Iterable[AgentSession]) -> None:
    data = all_raw_bytes()
    for pk, path, generation, size in RawFile.objects.values_list(
        "pk", "path", "generation", "raw_size"
    ):
        assert len(data.get((pk, generation), b"")) == size, path
    assert not RawChunk.objects.filter(parts=None).exists()
    sizes = dict(RawFile.objects.values_list("session").annotate(size=Sum("raw_size")))
    for session in sessions:
        assert session.size_bytes == sizes.get(session.pk, 0), session.identity


def check_stored_files() -> None:
    hashes = {
        *Attachment.objects.values_list("sha256", flat=True),
        *Artifact.objects.values_list("sha256", flat=True),
    }
    sizes = dict(StoredFile.objects.values_list("sha256", "size"))
    for sha256 in hashes:
        data = stored_path(sha256).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (sha256, sizes[sha256])
