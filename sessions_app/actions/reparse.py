"""What a conversation that is parsed again must keep, and whether it is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from sessions_app.actions.bulk import in_groups, moments, update_rows
from sessions_app.models import (
    AgentSession,
    Attachment,
    Message,
    RawFile,
    Relation,
    SessionTag,
    SessionUsage,
    StatusChange,
    ToolCall,
    Usage,
)

STATUS = ("status", "ended_at")
FILE = ("session_id", "last_read_at")
# Evidence in the files: while it is the same, so is the status, whoever set it since.
EVIDENCE = ("turn", "error")
NOT_COMPARED = {"id", "revision", "edits", "size_bytes"}
MESSAGE = ("id", "seq", "key", "parent_key", "role", "kind", "model", "text", "thinking",
           "layout", "metadata", "at", "received_at")  # fmt: skip
CALL = ("message", "ordinal", "call_id", "name", "input_preview", "input_packed", "input_size",
        "output_preview", "output_packed", "output_size", "is_error", "exit_code", "ended",
        "ended_at", "metadata")  # fmt: skip
IMAGE = ("message", "ordinal", "call_id", "media_type", "sha256", "size")
USAGE = ("key", "model", "at", "input", "output", "cache_read", "cache_write", "cache_write_1h",
         "reasoning", "cost", "is_recorded", "is_summary", "is_flagged")  # fmt: skip


class Before:
    """What the files do not tell: when messages came here, and what became of the status."""

    def __init__(self, sessions: Sequence[int]) -> None:
        rows = Message.objects.filter(session__in=sessions)
        self.received: dict[int, datetime] = dict(rows.values_list("pk", "received_at"))
        found = AgentSession.objects.filter(pk__in=sessions)
        self.sessions = {row.pk: row for row in found.only("size_bytes", *STATUS, *EVIDENCE)}
        files = RawFile.objects.filter(session__in=sessions)
        self.files = [(*values, pk) for pk, *values in files.values_list("pk", *FILE)]
        self.last_change = StatusChange.objects.order_by("-pk").values_list("pk", flat=True).first()


def restore(before: Before) -> None:
    """Give messages and files their times of receipt back, and sessions their status."""
    moment = moments()
    stored = set(Message.objects.filter(session__in=before.sessions).values_list("pk", flat=True))
    rows = [(moment(at), pk) for pk, at in before.received.items() if pk in stored]
    update_rows(Message, ("received_at",), rows)
    files = [(session, moment(at), pk) for session, at, pk in before.files]
    update_rows(RawFile, FILE, files)
    for row in AgentSession.objects.filter(pk__in=before.sessions):
        old = before.sessions[row.pk]
        if row.size_bytes != old.size_bytes:
            row.size_bytes = old.size_bytes
            row.save(update_fields=["size_bytes"])
        if _values(old, EVIDENCE) != _values(row, EVIDENCE):
            continue
        if _values(old, STATUS) != _values(row, STATUS):
            row.status, row.ended_at = old.status, old.ended_at
            row.save(update_fields=STATUS)
        StatusChange.objects.filter(session=row, pk__gt=before.last_change or 0).delete()


def _values(row: AgentSession, names: Iterable[str]) -> list[Any]:
    return [getattr(row, name) for name in names]


def fingerprints(sessions: Sequence[int]) -> dict[int, bytes]:
    """A hash of everything that is stored of each session, without numbers that only count up."""
    hashes = {pk: hashlib.blake2b(digest_size=16) for pk in sessions}
    fields = [
        field.name for field in AgentSession._meta.concrete_fields if field.name not in NOT_COMPARED
    ]
    rows: list[tuple[QuerySet[Any], str, tuple[str, ...], tuple[str, ...]]] = [
        (AgentSession.objects.all(), "pk", tuple(fields), ("pk",)),
        (Message.objects.all(), "session", MESSAGE, ("seq",)),
        (ToolCall.objects.all(), "session", CALL, ("message", "ordinal")),
        (Attachment.objects.all(), "message__session", IMAGE, ("message", "ordinal")),
        (SessionUsage.objects.all(), "session", ("usage__key", "message", "waits_for"), ("usage",)),
        (Usage.objects.all(), "session", USAGE, ("key",)),
        (Relation.objects.all(), "child",
         ("kind", "parent", "parent_identity", "call_id", "forked_at_seq"),
         ("kind", "parent_identity")),
        (SessionTag.objects.all(), "session", ("tag",), ("tag",)),
    ]  # fmt: skip
    for group in in_groups(sessions):
        for table, owner, names, order in rows:
            found = table.filter(**{f"{owner}__in": group}).order_by(owner, *order)
            for pk, *values in found.values_list(owner, *names).iterator(chunk_size=500):
                hashes[pk].update(repr([_plain(value) for value in values]).encode())
    return {pk: digest.digest() for pk, digest in hashes.items()}


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value
