"""The JSON API, /api/v1.

A resource is a module with a `router` (see `routers.py`). A view checks the request, looks up
its session with `lookup.seen_session` or `own_session`, and answers: a read with
`answers.told(data)`, a write with `answers.write(request, work)`, where `work(now)` calls
actions and gives back `answers.done(data, session=session)`. What is refused is raised: by
actions as `actions.refusals.Refused`, by views as `errors.RequestRefused`; `errors.py` maps
both to a status. Bodies are inflated and limited by `bodies.py` before a view sees them;
a view that streams calls `bodies.allow(request, limit)` and `request.read(n)`.
"""

from __future__ import annotations

from sessions_app.api.auth import Authentication
from sessions_app.api.bodies import JsonParser
from sessions_app.api.errors import add_handlers
from sessions_app.api.openapi import Api
from sessions_app.api.routers import ROUTERS

api = Api(
    title="Agent Sessions",
    version="1",
    description="Record, lock, save, recover and read the sessions of AI coding agents.",
    openapi_url="/openapi.json",
    docs_url=None,
    urls_namespace="api",
    auth=Authentication(),
    parser=JsonParser(),
)
add_handlers(api)
for tag, router in ROUTERS:
    api.add_router("", router, tags=[tag])
