"""Recording without files: what a reader would hand over."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from sessions_app.actions.prepare import prepare
from sessions_app.actions.prepared import FilePart, FileState
from sessions_app.actions.record import Collector, Stored, store
from sessions_app.models import AgentSession, User
from sessions_app.records import TEXT, Block, MessageRecord, SessionRecord, UsageRecord
from tests.invariants import check_invariants

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


class Recorder:
    """Records for one collector; every call is a reading of its own unless `by` is given."""

    def __init__(self, user: User) -> None:
        self.user = user

    def collector(self, **more: Any) -> Collector:
        plain = {"user": self.user, "owner": self.user, "host": "here", "now": datetime.now(UTC)}
        return Collector(**{**plain, **more})

    def part(self, record: SessionRecord, path: str = "", **more: Any) -> FilePart:
        record = deepcopy(record)  # it is cleaned in place
        path = path or f"/home/dev/{record.identity[:50]}.jsonl"
        replace = more.pop("replace", False)
        prepared = prepare(record, now=datetime.now(UTC), replace=replace)
        source = more.pop("source", record.agent)
        return FilePart(source, [FileState(path, "", 1, 1)], [], [prepared], **more)

    def __call__(self, *records: SessionRecord, by: Collector | None = None, **more: Any) -> Stored:
        parts = [self.part(record, **more) for record in records]
        # What crosses from the parser process must survive the crossing.
        encoded = msgspec.msgpack.encode(parts)
        parts = msgspec.msgpack.decode(encoded, type=list[FilePart])
        done = store(parts, by or self.collector())
        check_invariants()
        return done


@pytest.fixture
def tell(owner: User) -> Recorder:
    return Recorder(owner)


def told(identity: str = "one", **more: Any) -> SessionRecord:
    """A record of a session of Claude Code's."""
    plain = {"created_at": START, "last_active": START, "backend_session_id": identity}
    return SessionRecord("claude-code", "claude", identity, **{**plain, **more})


def said(key: str, words: str = "Hello", role: str = "user", **more: Any) -> MessageRecord:
    kind = {"user": "prompt", "assistant": "answer"}[role]
    return MessageRecord(key, role, [Block(TEXT, words)], kind, START, **more)


def billed(key: str, **more: Any) -> UsageRecord:
    plain = {"model": "claude-sonnet-4-5", "at": START, "input": 100, "output": 10}
    return UsageRecord(key, **{**plain, **more})


def only_session() -> AgentSession:
    return AgentSession.objects.get()
