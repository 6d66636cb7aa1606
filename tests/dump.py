"""Everything that is stored, in words that two ways of reading the same files must share.

Ids, revisions, short ids and the server's own times are left out: they tell when something was
stored, not what; people stand with their names. A fixed number of queries, whatever there is.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.apps import apps
from django.db.models import Model

from sessions_app import packing
from sessions_app.models import (
    AgentSession,
    Artifact,
    Attachment,
    IngestProblem,
    Message,
    Project,
    RawFile,
    Relation,
    SessionAlias,
    SessionTag,
    SessionUsage,
    Snapshot,
    ToolCall,
    Usage,
    UsageRollup,
    User,
)
from tests.invariants import all_raw_bytes

STARTED = datetime.now(UTC)
SHOWN = 300  # characters of a value that differs
Row = dict[str, Any]
Grouped = dict[Any, list[Any]]


def dump() -> dict[str, Any]:
    """The whole store."""
    people = dict(User.objects.values_list("pk", "username"))
    sessions = {row.pk: row for row in AgentSession.objects.all()}
    names = {
        pk: f"{people[row.collector_id]}/{row.backend}/{row.identity}"
        for pk, row in sessions.items()
    }
    names[None] = None  # type: ignore[index, assignment]
    projects = dict(Project.objects.values_list("pk", "key"))
    told = _told_of_sessions()
    return {
        "sessions": {
            names[pk]: _facts(row, projects, people) | {key: rows[pk] for key, rows in told.items()}
            for pk, row in sessions.items()
        },
        "usage": {
            row["key"]: row | {"session": names[row["session"]]}
            for row in rows_of(Usage, "id")
        },
        "rollups": sorted(
            str(row | {"session": names[row["session"]]}) for row in rows_of(UsageRollup, "id")
        ),
        "relations": sorted(
            str(row | {
                "child": names[row["child"]], "parent": names[row["parent"]],
                "parent_identity": row["kind"] != "continuation" and row["parent_identity"],
            })
            for row in rows_of(Relation, "id")
        ),
        "aliases": sorted((row.name, names[row.session_id]) for row in SessionAlias.objects.all()),
        "problems": sorted(
            IngestProblem.objects.values_list("source", "path", "line", "reason", "sample")
        ),
        "files": _files(names, people),
        "projects": sorted(Project.objects.values_list("key", "name", "is_open")),
    }  # fmt: skip


def rows_of(model: type[Model], *without: str) -> Iterable[Row]:
    """Every row of a table as a dict, without these columns."""
    names = [field.name for field in model._meta.concrete_fields if field.name not in without]
    for values in model._default_manager.order_by("pk").values_list(*names):
        yield {name: _shown(value) for name, value in zip(names, values, strict=True)}


def _shown(value: Any) -> Any:
    # A time after now counts as the time of receipt, which every run has for itself.
    return "now" if isinstance(value, datetime) and value >= STARTED else value


def _facts(row: AgentSession, projects: dict[int, str], people: dict[int, str]) -> Row:
    without = (
        *("id", "short_id", "received_at", "revision", "audience"),
        *("project", "collector", "owner"),
    )
    names = [field.name for field in row._meta.concrete_fields if field.name not in without]
    facts = {name: _shown(getattr(row, row._meta.get_field(name).attname)) for name in names}  # type: ignore[union-attr]
    return facts | {
        "project": projects.get(row.project_id or 0),
        "collector": people[row.collector_id],
        "owner": people[row.owner_id],
    }


def _told_of_sessions() -> dict[str, Grouped]:
    messages, places = _messages()
    usage: Grouped = defaultdict(list)
    for session, key, message, waits in SessionUsage.objects.order_by("usage__key").values_list(
        "session", "usage__key", "message", "waits_for"
    ):
        usage[session].append((key, places.get(message), waits))
    tags: Grouped = defaultdict(list)
    for session, name in SessionTag.objects.order_by("tag__name").values_list(
        "session", "tag__name"
    ):
        tags[session].append(name)
    snapshots: Grouped = defaultdict(list)
    for row in rows_of(Snapshot, "id", "received_at"):
        packed = row.pop("packed")
        state = packed and packing.unpack(packed)
        snapshots[row.pop("session")].append(row | {"state": state})
    artifacts: Grouped = defaultdict(list)
    for session, *stored in Artifact.objects.values_list("session", "path", "sha256", "size"):
        artifacts[session].append(stored)
    return {
        "messages": messages, "usage": usage, "tags": tags, "snapshots": snapshots,
        "artifacts": artifacts,
    }  # fmt: skip


def _messages() -> tuple[Grouped, dict[int, int]]:
    """The messages of each session with their calls and images; and id -> seq."""
    calls: Grouped = defaultdict(list)
    for row in rows_of(ToolCall, "id", "session"):
        row["input"] = packing.unpack_text(row["input_preview"], row.pop("input_packed"))
        row["output"] = packing.unpack_text(row["output_preview"], row.pop("output_packed"))
        calls[row.pop("message")].append(row)
    images: Grouped = defaultdict(list)
    for message, *image in Attachment.objects.order_by("call_id", "ordinal").values_list(
        "message", "call_id", "media_type", "sha256", "size"
    ):
        images[message].append(image)
    messages: Grouped = defaultdict(list)
    places = {}
    for row in rows_of(Message, "revision", "received_at"):
        pk = row.pop("id")
        places[pk] = row["seq"]
        row["calls"] = sorted(calls[pk], key=lambda call: call["ordinal"])
        messages[row.pop("session")].append(row | {"images": images[pk]})
    for rows in messages.values():
        rows.sort(key=lambda row: row["seq"])
    return messages, places


def _files(names: dict[int, str], people: dict[int, str]) -> dict[str, Row]:
    """The files with the hash of their bytes in every generation."""
    found = {}
    data = all_raw_bytes()
    for row in rows_of(RawFile, "first_read_at", "last_read_at", "reader_state"):
        pk = row.pop("id")
        row["session"], row["collector"] = names[row["session"]], people[row["collector"]]
        hashes = {
            generation: hashlib.sha256(data[pk, generation]).hexdigest()
            for generation in range(1, row["generation"] + 1)
            if (pk, generation) in data
        }
        found[f"{row['collector']}:{row['host']}:{row['path']}"] = row | {"bytes": hashes}
    return found


def all_rows() -> dict[str, list[str]]:
    """Every row of every table of ours, ids and times included: equal = nothing was written."""
    models = apps.get_app_config("sessions_app").get_models()
    return {
        model.__name__: [repr(row) for row in model._default_manager.order_by("pk").values_list()]
        for model in models
    }


def differences(one: Any, two: Any, place: str = "") -> list[str]:
    """Where two dumps differ, one line for each place."""
    if isinstance(one, dict) and isinstance(two, dict):
        keys = [*one, *(key for key in two if key not in one)]
        found = [differences(one.get(key), two.get(key), f"{place}/{key}") for key in keys]
        return [line for lines in found for line in lines]
    if isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        pairs = enumerate(zip(one, two, strict=True))
        return [line for at, pair in pairs for line in differences(*pair, f"{place}/{at}")]
    return [] if one == two else [f"{place}: {_short(one)} != {_short(two)}"]


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"


def assert_same(one: Any, two: Any, about: str = "") -> None:
    """Two dumps are equal, or their first differences are told."""
    wrong = differences(one, two)
    assert not wrong, "\n".join([about, *wrong[:20]])
