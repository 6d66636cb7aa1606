"""The resources of the API: a module with a `router` of its own, and one line here."""

from __future__ import annotations

from ninja import Router

from sessions_app.api import about, messages, sessions, tags

ROUTERS: tuple[tuple[str, Router], ...] = (
    ("about", about.router),
    ("sessions", sessions.router),
    ("messages", messages.router),
    ("tags", tags.router),
)
