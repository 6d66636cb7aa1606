"""The rows of a merged session: copies of messages, calls and images, and links to usage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from sessions_app import border
from sessions_app.actions.bulk import allocate_ids, in_groups, insert_rows, moments
from sessions_app.actions.merge_plan import Line, Plan
from sessions_app.actions.prepare_facts import KEY
from sessions_app.actions.record.rows import CALL_COLUMNS, IMAGE_COLUMNS, MESSAGE_COLUMNS
from sessions_app.actions.record.usage import LINK_COLUMNS
from sessions_app.models import AgentSession, Attachment, Message, SessionUsage, ToolCall
from sessions_app.records import tells_a_place

BATCH = 500
PROVENANCE = "merged_from"  # in a message's metadata: every session and seq that holds it

Ids = dict[int, int]  # a source's message -> the merged session's


def copy_messages(
    merged: AgentSession, plan: Plan, sources: Sequence[AgentSession], now: datetime
) -> Ids:
    """Insert the planned messages with all that hangs on them; the counters follow."""
    ids: Ids = {}
    keys = _keys(plan, sources)
    for start in range(0, len(plan.lines), BATCH):
        lines = plan.lines[start : start + BATCH]
        new = dict(zip([line.pk for line in lines], allocate_ids(Message, len(lines)), strict=True))
        _copy_batch(merged, lines, new, keys, sources, now)
        _copy_calls(merged, new)
        _copy_images(new)
        ids |= new
    return ids


def _keys(plan: Plan, sources: Sequence[AgentSession]) -> dict[int, str]:
    """A key for each message: its own, unless that only tells a place or is taken."""
    taken: set[str] = set()
    keys = {}
    for line in plan.lines:
        key = _own_key(line.key, sources[line.source])
        if key in taken:
            key = border.clean_name(f"{sources[line.source].short_id}:{key}", KEY)
        taken.add(key)
        keys[line.pk] = key
    return keys


def _own_key(key: str, source: AgentSession) -> str:
    """The key as it is, unless it only tells a place in that session."""
    if not tells_a_place(key):
        return key
    return border.clean_name(f"{source.short_id}:{key}", KEY)


def _copy_batch(
    merged: AgentSession,
    lines: Sequence[Line],
    new: Ids,
    keys: Mapping[int, str],
    sources: Sequence[AgentSession],
    now: datetime,
) -> None:
    stored = {
        row[0]: row for row in Message.objects.filter(pk__in=new).values_list(*MESSAGE_COLUMNS)
    }
    moment = moments()
    rows = []
    for line in lines:
        row = dict(zip(MESSAGE_COLUMNS, stored[line.pk], strict=True))
        merged.last_seq += 1
        merged.revision += 1
        merged.message_count += 1
        merged.user_messages += row["kind"] == "prompt"
        merged.assistant_messages += (row["role"], row["kind"]) == ("assistant", "answer")
        row |= {
            "id": new[line.pk], "session_id": merged.pk, "seq": merged.last_seq,
            "revision": merged.revision, "key": keys[line.pk], "at": moment(row["at"]),
            "parent_key": _own_key(row["parent_key"], sources[line.source]),
            "metadata": _with_provenance(row["metadata"], line, sources),
            "received_at": moment(now),
        }  # fmt: skip
        rows.append([row[name] for name in MESSAGE_COLUMNS])
    insert_rows(Message, MESSAGE_COLUMNS, rows)


def _with_provenance(metadata: str, line: Line, sources: Sequence[AgentSession]) -> str:
    told = msgspec.json.decode(metadata) if metadata else {}
    places = [{"session": sources[index].short_id, "seq": seq} for index, seq in line.places]
    return msgspec.json.encode({**told, PROVENANCE: places}).decode()


def _copy_calls(merged: AgentSession, new: Ids) -> None:
    calls = ToolCall.objects.filter(message__in=new).order_by("message", "ordinal")
    stored = list(calls.values_list(*CALL_COLUMNS))
    moment = moments()
    rows = []
    for pk, values in zip(allocate_ids(ToolCall, len(stored)), stored, strict=True):
        row: dict[str, Any] = dict(zip(CALL_COLUMNS, values, strict=True))
        merged.tool_calls += 1
        merged.tool_errors += row["is_error"]
        merged.open_tool_calls += not row["ended"]
        row |= {
            "id": pk, "message_id": new[row["message_id"]], "session_id": merged.pk,
            "ended_at": moment(row["ended_at"]),
        }  # fmt: skip
        rows.append([row[name] for name in CALL_COLUMNS])
    insert_rows(ToolCall, CALL_COLUMNS, rows)


def _copy_images(new: Ids) -> None:
    images = Attachment.objects.filter(message__in=new).order_by("message", "ordinal")
    stored = list(images.values_list(*IMAGE_COLUMNS))
    ids = allocate_ids(Attachment, len(stored))
    insert_rows(
        Attachment,
        IMAGE_COLUMNS,
        [(pk, new[row[1]], *row[2:]) for pk, row in zip(ids, stored, strict=True)],
    )


def link_usage(merged: AgentSession, sources: Sequence[AgentSession], plan: Plan, ids: Ids) -> None:
    """What the sources were billed is linked, not copied: every total counts it once."""
    links: dict[int, int | None] = {}
    rows = SessionUsage.objects.filter(session__in=sources).order_by("pk")
    for usage, message in rows.values_list("usage_id", "message_id"):
        kept = ids.get(plan.kept_for.get(message or 0, message or 0))
        links[usage] = links.get(usage) or kept
    for group in in_groups(links):
        pks = allocate_ids(SessionUsage, len(group))
        insert_rows(
            SessionUsage,
            LINK_COLUMNS,
            [
                (pk, merged.pk, usage, links[usage], None)
                for pk, usage in zip(pks, group, strict=True)
            ],
        )
