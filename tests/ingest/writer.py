"""A process that records through the one door while others do: python -m tests.ingest.writer.

`writer NAME COUNT`: COUNT readings for a session of its own (NAME), one that all writers share
and one that is told by a file at the same time; each reading tells one message, one call with
its result and one response that all writers bill.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import django

START = datetime(2026, 1, 5, 8, tzinfo=UTC)


def main(name: str, count: int, told: str) -> None:
    """Record until it is done; whatever goes wrong ends the process with a traceback."""
    from sessions_app.actions.prepare import prepare
    from sessions_app.actions.prepared import FilePart, FileState
    from sessions_app.actions.record import Collector, store
    from sessions_app.models import User
    from sessions_app.records import (
        CALL,
        TEXT,
        Block,
        MessageRecord,
        SessionRecord,
        ToolResult,
        UsageRecord,
    )

    user = User.objects.get()
    for number in range(count):
        at = START + timedelta(seconds=number)
        parts = []
        for identity in (name, "shared", told):
            key = f"{name}-{number}"
            blocks = [Block(TEXT, f"{key} in {identity}"), Block(CALL, "{}", f"call-{key}", "Read")]
            record = SessionRecord(
                "claude-code", "claude", identity, created_at=at, last_active=at,
                backend_session_id=identity,
                messages=[MessageRecord(key, "assistant", blocks, "answer", at)],
                results=[ToolResult(f"call-{key}", "done", at=at)],
                usages=[UsageRecord(f"bill-{number}", key, "claude-sonnet-4-5", at, 10, 5)],
            )  # fmt: skip
            states = [FileState(f"/{name}/{identity}", "", 1, 1)]
            parts.append(FilePart("claude-code", states, [], [prepare(record, now=at)]))
        by = Collector(user=user, owner=user, host=name, now=datetime.now(UTC))
        store(parts, by)


if __name__ == "__main__":
    django.setup()
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
