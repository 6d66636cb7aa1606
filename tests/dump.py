"""Everything that is stored, in words that two ways of reading the same files must share.

Ids, revisions, short ids and the server's own times are left out: they tell when something was
stored, not what.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from sessions_app import packing
from sessions_app.models import (
    AgentSession,
    IngestProblem,
    Project,
    RawFile,
    RawPart,
    Relation,
    SessionAlias,
    Usage,
    UsageRollup,
)
from tests.invariants import raw_bytes

STARTED = datetime.now(UTC)
FACTS = [
    field.name
    for field in AgentSession._meta.concrete_fields
    if field.name not in ("id", "short_id", "received_at", "revision", "audience")
]
CALL = ("ordinal", "call_id", "name", "input_preview", "input_size", "output_preview",
        "output_size", "is_error", "exit_code", "ended", "ended_at", "metadata")  # fmt: skip


def dump() -> dict[str, Any]:
    """The whole store."""
    return {
        "sessions": {name_of(row): session(row) for row in _sessions()},
        "usage": {row.key: _plain(row, ("id", "key")) for row in _usages()},
        "rollups": sorted(map(str, (_plain(row, ("id",)) for row in _rollups()))),
        "relations": sorted(
            (name_of(row.child), row.kind, row.parent and name_of(row.parent), row.call_id,
             row.forked_at_seq if row.forked_at_seq else 0,
             row.parent_identity if row.kind != "continuation" else "")
            for row in Relation.objects.select_related("child", "parent")
        ),
        "aliases": sorted(
            (row.name, name_of(row.session))
            for row in SessionAlias.objects.select_related("session")
        ),
        "problems": sorted(
            IngestProblem.objects.values_list("source", "path", "line", "reason", "sample")
        ),
        "files": {(row.host, row.path): raw_file(row) for row in _files()},
        "projects": sorted(Project.objects.values_list("key", "name", "is_open")),
    }  # fmt: skip


def _sessions() -> Any:
    return AgentSession.objects.order_by("pk")


def _usages() -> Any:
    return Usage.objects.select_related("session")


def _rollups() -> Any:
    return UsageRollup.objects.select_related("session")


def _files() -> Any:
    return RawFile.objects.select_related("session")


def name_of(session: AgentSession) -> str:
    """A session's name that is the same in every run."""
    return f"{session.collector_id}/{session.backend}/{session.identity}"


def _shown(value: Any) -> Any:
    if isinstance(value, AgentSession):
        return name_of(value)
    if isinstance(value, Project):
        return value.key
    # A time after now counts as the time of receipt, which every run has for itself.
    return "now" if isinstance(value, datetime) and value >= STARTED else value


def _plain(row: Any, without: tuple[str, ...]) -> dict[str, Any]:
    names = [field.name for field in row._meta.concrete_fields if field.name not in without]
    return {name: _shown(getattr(row, name)) for name in names}


def session(row: AgentSession) -> dict[str, Any]:
    """One session with all that hangs on it."""
    return {
        **{name: _shown(getattr(row, name)) for name in FACTS},
        "tags": sorted(row.tag_links.values_list("tag__name", flat=True)),
        "messages": [message(item) for item in row.messages.order_by("seq")],
        "usage": sorted(row.usage_links.values_list("usage__key", "message__seq")),
        "snapshots": [_plain(item, ("id", "session", "received_at", "packed")) | {"state": item.packed
                      and packing.unpack(item.packed)} for item in row.snapshots.order_by("step")],
        "artifacts": list(row.artifacts.values_list("path", "sha256", "size")),
    }  # fmt: skip


def message(row: Any) -> dict[str, Any]:
    """One message with its calls and images."""
    calls = [
        {name: _shown(getattr(call, name)) for name in CALL}
        | {
            "input": packing.unpack_text(call.input_preview, call.input_packed),
            "output": packing.unpack_text(call.output_preview, call.output_packed),
        }
        for call in row.calls.order_by("ordinal")
    ]
    images = row.attachments.order_by("call_id", "ordinal")
    return _plain(row, ("id", "session", "revision", "received_at")) | {
        "calls": calls,
        "images": list(images.values_list("call_id", "media_type", "sha256", "size")),
    }


def raw_file(row: RawFile) -> dict[str, Any]:
    """A file with the hash of its bytes in every generation."""
    parts = RawPart.objects.filter(file=row)
    generations = sorted(set(parts.values_list("generation", flat=True)))
    times = ("id", "first_read_at", "last_read_at", "reader_state")
    return _plain(row, times) | {
        "bytes": [hashlib.sha256(raw_bytes(row, item)).hexdigest() for item in generations]
    }


def all_rows() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of ours, ids and times included: equal = nothing was written."""
    from django.apps import apps

    return {
        model.__name__: sorted(map(repr, model._default_manager.values_list()))  # type: ignore[misc]
        for model in apps.get_app_config("sessions_app").get_models()
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
    return [] if one == two else [f"{place}: {one!r} != {two!r}"]
