"""The resources of the API: a module with a `router` of its own, and one line here."""

from __future__ import annotations

from ninja import Router

from sessions_app.api import (
    about,
    artifacts,
    ingest_files,
    leases,
    lifecycle,
    merge,
    messages,
    recovery,
    search,
    sessions,
    snapshots,
    tags,
    transfer,
)

ROUTERS: tuple[tuple[str, Router], ...] = (
    ("about", about.router),
    ("sessions", merge.router),  # its address would be a session's id otherwise
    ("sessions", sessions.router),
    ("messages", messages.router),
    ("snapshots", snapshots.router),
    ("artifacts", artifacts.router),
    ("locks", leases.router),
    ("life", lifecycle.router),
    ("life", recovery.router),
    ("tags", tags.router),
    ("search", search.router),
    ("transfer", transfer.router),
    ("ingest", ingest_files.router),
)
