"""What a record tells beside its conversation, made storable. Pure; runs in the parser process."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from sessions_app import border
from sessions_app.actions.prepared import PreparedMessage
from sessions_app.records import Problem, SessionRecord, UsageRecord

KEY, NAME, LINE, LONG = 200, 200, 500, 20_000
IDENTITY, ALIAS, USAGE_KEY, PATH = 400, 300, 400, 600  # bytes, since they stand in an index
LINES = {"title": 300, "model": NAME, "git_branch": 300, "agent_version": 100,
         "current_task": LINE, "backend": 32}  # fmt: skip
TEXTS = {"prompt": LINE, "description": LONG, "error": LONG, "work_dir": 1000,
         "repository_url": 1000}  # fmt: skip
NAMES = {"backend_session_id": 200, "identity": IDENTITY, "alias": ALIAS}
TOKENS = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")
# No response is that large; more would only let a forged file run over the sums.
MOST_TOKENS = 10**10
MOST_COST, MOST_COST_OF_A_SESSION = Decimal(1_000), Decimal(1_000_000)
MOST_TAGS = 100
MOST_METADATA, MOST_VALUE = 64 * 1024, 4 * 1024  # characters of JSON
CREDENTIALS = re.compile(r"^(https?://)[^/@]*@", re.IGNORECASE)


def clean_key(key: str) -> str:
    """A native id that fits its column; see border.clean_name."""
    return border.clean_name(key, KEY)


def clean_facts(
    record: SessionRecord, messages: Sequence[PreparedMessage], *, now: datetime
) -> None:
    """Make every field of `record` storable, in place; `messages` are its prepared ones."""
    _clean_times(record, messages, now)
    for fields, clean in (
        (LINES, border.clean_line), (TEXTS, border.clean_text), (NAMES, border.clean_name),
    ):  # fmt: skip
        for field, limit in fields.items():
            setattr(record, field, clean(getattr(record, field), limit))
    record.repository_url = CREDENTIALS.sub(r"\1", record.repository_url)
    record.metadata = bounded(border.clean_json(record.metadata))
    tags = (border.clean_line(tag, 100) for tag in record.tags[:MOST_TAGS])
    record.tags = [tag for tag in tags if tag]
    _clean_numbers(record)
    for usage in record.usages:
        _clean_usage(usage, record.backend, now)
    for relation in record.relations:
        relation.parent_identity = border.clean_name(relation.parent_identity, IDENTITY)
        relation.call_id = clean_key(relation.call_id)
        relation.message_key = clean_key(relation.message_key)
    _clean_files(record, now)


def _clean_times(record: SessionRecord, messages: Sequence[PreparedMessage], now: datetime) -> None:
    """A time after now tells nothing: one wrong clock must not make an old session look fresh."""
    if record.last_active and record.last_active > now:
        record.last_active = max((m.at for m in messages if m.at and m.at < now), default=None)
    if record.created_at and record.created_at > now:
        record.created_at = record.last_active
    record.last_active = border.clean_time(record.last_active, now=now)
    record.created_at = border.clean_time(record.created_at, now=now)


def bounded(metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata that a row can carry; the raw record has all of it."""
    if not metadata or len(msgspec.json.encode(metadata)) <= MOST_METADATA:
        return metadata
    out: dict[str, Any] = {}
    for key, value in list(metadata.items())[: MOST_METADATA // MOST_VALUE]:
        text = msgspec.json.encode(value).decode()
        out[key] = value if len(text) <= MOST_VALUE else border.clean_text(text, MOST_VALUE)
    return out


def small(value: int | None) -> int | None:
    """An exit code, or None for what is none."""
    return value if value is not None and -(2**31) <= value < 2**31 else None


def _clean_numbers(record: SessionRecord) -> None:
    record.exit_code = small(record.exit_code)
    if record.progress is not None and not 0 <= record.progress <= 1:
        record.progress = None
    if record.duration_seconds is not None and not math.isfinite(record.duration_seconds):
        record.duration_seconds = None
    if not border.is_count(record.total_steps):
        record.total_steps = None


def _clean_usage(usage: UsageRecord, backend: str, now: datetime) -> None:
    """Numbers that the sums can bear; an impossible one counts as 0, and is flagged."""
    usage.key = border.clean_name(f"{backend}:{usage.key}", USAGE_KEY)
    usage.message_key = clean_key(usage.message_key)
    usage.model = border.clean_line(usage.model, NAME)
    usage.at = border.clean_time(usage.at, now=now)
    for field in TOKENS:
        value = border.clean_count(getattr(usage, field))
        if value > MOST_TOKENS:
            value, usage.flagged = 0, True
        setattr(usage, field, value)
    cost = border.clean_money(usage.cost)
    if cost is not None and cost > (MOST_COST_OF_A_SESSION if usage.summary else MOST_COST):
        cost, usage.flagged = None, True
    usage.cost = cost


def _clean_files(record: SessionRecord, now: datetime) -> None:
    """Snapshots, artifacts and problems; of two snapshots of one step the last good one stays."""
    snapshots = sorted(record.snapshots, key=lambda item: not item.problem)
    record.snapshots = list({item.step: item for item in snapshots}.values())
    for snapshot in record.snapshots:
        snapshot.state = border.clean_json(snapshot.state)
        snapshot.at = border.clean_time(snapshot.at, now=now)
        snapshot.problem = border.clean_line(snapshot.problem, 300)
    for artifact in record.artifacts:
        if border.clean_name(artifact.path, PATH) != artifact.path:
            record.problems.append(Problem(artifact.source, "its path is too long or not UTF-8"))
    record.artifacts = [
        artifact
        for artifact in {artifact.path: artifact for artifact in record.artifacts}.values()
        if border.clean_name(artifact.path, PATH) == artifact.path
    ]
    for problem in record.problems:
        clean_problem(problem)


def clean_problem(problem: Problem) -> None:
    """Make a problem storable, whatever name or line it speaks of."""
    problem.path = border.clean_name(problem.path, border.MAX_PATH)
    problem.reason = border.clean_line(problem.reason, 300)
    problem.sample = border.clean_line(problem.sample, 200)
    problem.line = border.clean_count(problem.line)
