"""What an archive says of a session, in words that an import takes back unchanged."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec

from sessions_app import border, packing
from sessions_app.exports.session_json import moment_json, usd
from sessions_app.models import (
    AgentSession,
    Attachment,
    Message,
    Relation,
    SessionUsage,
    ToolCall,
    Usage,
)
from sessions_app.records import CALL, IMAGE, TEXT

PAGE = 500
ORIGIN = "imported_from"  # in the metadata of an imported session: what it was before
# Of keys from programs the collector is left out: they are the importer's own over there.
COLLECTOR = re.compile(r"^([^:]*:api:)\d+:")
OF_COLLECTOR = re.compile(r"@\d+$")  # at the end of the key of a sum over a session
FACTS = (
    "name", "backend", "backend_session_id", "identity", "kind", "turn", "error", "title",
    "title_rank", "prompt", "host", "git_branch", "repository_url", "agent_version",
    "visibility", "exit_code", "duration_seconds",
)  # fmt: skip

Row = dict[str, Any]


def facts(session: AgentSession) -> Row:
    """metadata.json: the fields of the folder layout first, then everything else."""
    origin = session.metadata.get(ORIGIN)
    source = origin.get("source") if isinstance(origin, dict) else None
    return {
        "id": session.short_id,
        "created_at": moment_json(session.created_at),
        "last_active": moment_json(session.last_active),
        "status": session.status,
        "work_dir": session.work_dir,
        "model": session.model,
        "total_steps": session.total_steps,
        "message_count": session.message_count,
        "tool_calls": session.tool_calls,
        "total_tokens": session.total_tokens,
        "total_cost": float(session.cost),
        "tags": sorted(session.tags.values_list("name", flat=True)),
        "description": session.description,
        "current_task": session.current_task,
        "progress": session.progress,
        **{name: getattr(session, name) for name in FACTS},
        "source": source or session.source,
        "models": session.models_used,
        "ended_at": moment_json(session.ended_at),
        "metadata": {name: value for name, value in session.metadata.items() if name != ORIGIN},
        "snapshots": _snapshots(session),
        "relations": _relations(session),
        "artifact_names": _artifact_names(session),
        "usage": [_usage(row) for row in _usages(session, None).get(None, [])],
    }


def _snapshots(session: AgentSession) -> list[Row]:
    """What the files of the states do not tell."""
    rows = session.snapshots.order_by("step").values_list("step", "at", "problem", "at_seq")
    seqs = session.messages.order_by("seq")
    return [
        {
            "step": step,
            "at": moment_json(at),
            "problem": problem,
            "messages_before": None if at_seq is None else seqs.filter(seq__lte=at_seq).count(),
        }
        for step, at, problem, at_seq in rows
    ]


def artifact_entry(path: str) -> str:
    """The name of an artifact in the archive: its own, unless it could lead somewhere."""
    if border.is_tame(path):
        return path
    return f"~{hashlib.sha256(path.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _artifact_names(session: AgentSession) -> Row:
    """The true names of those that have another one in the archive."""
    paths = session.artifacts.order_by("path").values_list("path", flat=True)
    return {entry: path for path in paths if (entry := artifact_entry(path)) != path}


def _relations(session: AgentSession) -> list[Row]:
    """Links to other sessions by the names that they bring along; not those that we found."""
    links = session.parent_links.exclude(kind=Relation.Kind.CONTINUATION).order_by("pk")
    keys = dict(
        session.messages.filter(
            seq__in=[link.forked_at_seq for link in links if link.forked_at_seq]
        ).values_list("seq", "key")
    )
    return [
        {
            "kind": link.kind,
            "parent_identity": link.parent_identity,
            "call_id": link.call_id,
            "message_key": keys.get(link.forked_at_seq or 0, ""),
            "until": link.until,
        }
        for link in links
    ]


def lines(session: AgentSession, upto: int) -> Iterator[bytes]:
    """messages.jsonl, page by page, up to this seq."""
    encode = msgspec.json.Encoder().encode
    last = 0
    rows = Message.objects.filter(session=session, seq__lte=upto).order_by("seq")
    while page := list(rows.filter(seq__gt=last)[:PAGE]):
        last = page[-1].seq
        for line in _page(session, page):
            yield encode(line) + b"\n"


def _page(session: AgentSession, page: list[Message]) -> Iterator[Row]:
    keys = [message.pk for message in page]
    calls: dict[int, list[ToolCall]] = defaultdict(list)
    for call in ToolCall.objects.filter(message__in=keys).order_by("message", "ordinal"):
        calls[call.message_id].append(call)
    images: dict[int, list[Attachment]] = defaultdict(list)
    for image in Attachment.objects.filter(message__in=keys).order_by("message", "ordinal"):
        images[image.message_id].append(image)
    usages = _usages(session, keys)
    for message in page:
        yield _line(message, calls[message.pk], images[message.pk], usages.get(message.pk, []))


def _line(
    message: Message, calls: list[ToolCall], images: list[Attachment], usages: list[Usage]
) -> Row:
    """The four fields of the folder layout, and beside them what they have no place for."""
    line: Row = {
        "role": message.role,
        "content": message.text,
        "timestamp": moment_json(message.at),
        "metadata": msgspec.json.decode(message.metadata) if message.metadata else {},
        "key": message.key,
    }
    for name in ("kind", "model", "parent_key"):
        if value := getattr(message, name):
            line[name] = value
    if message.thinking or message.layout or calls or images:
        line["blocks"] = _blocks(message, calls, images)
    if usages:
        line["usage"] = [_usage(usage) for usage in usages]
    return line


def _blocks(message: Message, calls: list[ToolCall], images: list[Attachment]) -> list[Row]:
    own = [image for image in images if not image.call_id]
    pieces = packing.pieces(
        message.text, message.thinking, message.layout, calls=len(calls), images=len(own)
    )
    blocks: list[Row] = []
    for piece in pieces:
        if piece.kind == CALL:
            blocks.append(_call(calls[piece.ordinal], images))
        elif piece.kind == IMAGE:
            blocks.append(_image(own[piece.ordinal]))
        else:
            blocks.append({"type": TEXT if piece.kind == TEXT else piece.kind, "text": piece.text})
    return blocks


def _call(call: ToolCall, images: list[Attachment]) -> Row:
    block: Row = {
        "type": CALL,
        "id": call.call_id,
        "name": call.name,
        "input": packing.unpack_text(call.input_preview, call.input_packed),
    }
    if call.ended:
        block["result"] = {
            "text": packing.unpack_text(call.output_preview, call.output_packed),
            "is_error": call.is_error,
            "exit_code": call.exit_code,
            "at": moment_json(call.ended_at),
            "images": [_image(image) for image in images if image.call_id == call.call_id],
        }
    if call.metadata:
        block["metadata"] = msgspec.json.decode(call.metadata)
    return block


def _image(image: Attachment) -> Row:
    return {"type": IMAGE, "media_type": image.media_type, "sha256": image.sha256}


def _usages(session: AgentSession, messages: list[int] | None) -> dict[int | None, list[Usage]]:
    """Billed responses by message; without messages those that belong to none."""
    links = SessionUsage.objects.filter(session=session).select_related("usage")
    links = links.filter(message=None) if messages is None else links.filter(message__in=messages)
    found: dict[int | None, list[Usage]] = defaultdict(list)
    for link in links.order_by("usage__key"):
        found[link.message_id].append(link.usage)
    return found


def _usage(usage: Usage) -> Row:
    key = COLLECTOR.sub(r"\1*:", usage.key)
    return {
        "key": OF_COLLECTOR.sub("", key) if usage.is_summary else key,
        "model": usage.model,
        "at": moment_json(usage.at),
        "input": usage.input,
        "output": usage.output,
        "cache_read": usage.cache_read,
        "cache_write": usage.cache_write,
        "cache_write_1h": usage.cache_write_1h,
        "reasoning": usage.reasoning,
        "cost": usd(usage.cost) if usage.cost is not None and usage.is_recorded else None,
        "summary": usage.is_summary,
        "flagged": usage.is_flagged,
    }
