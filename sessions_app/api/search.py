"""Search everything that was said."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from sessions_app.api.answers import told
from sessions_app.api.auth import ApiRequest
from sessions_app.queries.filters import names_of_filters
from sessions_app.queries.search.facets import narrowed
from sessions_app.queries.search.results import LIMIT, MOST, as_items, search

router = Router()
Word = Annotated[str, Field(max_length=200)]


class Search(Schema):
    """What to look for; filters may stand in `q` or on their own."""

    q: Annotated[str, Field(max_length=20_000)] = ""
    backend: list[str] = Field([], max_length=50)
    status: list[str] = Field([], max_length=50)
    tag: list[str] = Field([], max_length=50)
    project: list[str] = Field([], max_length=50)
    owner: list[str] = Field([], max_length=50)
    model: Word | None = None
    workdir: Word | None = None
    host: Word | None = None
    resumable: Word | None = None
    kind: Word | None = None
    since: Word | None = None
    until: Word | None = None
    has: list[str] = Field([], max_length=50)
    sort: Annotated[str, Field(pattern="^(newest|best)$")] = "newest"
    cursor: Annotated[str, Field(max_length=400)] = ""
    limit: Annotated[int, Field(ge=1, le=MOST)] = LIMIT  # sessions


class Hit(Schema):
    """One excerpt; `seq` is the message that holds it, null for what is said of the session."""

    session_id: str
    title: str
    backend: str
    project: str | None
    last_active: str
    seq: int | None
    where: str
    tool: str | None
    excerpt: str
    marks: list[list[int]]
    hits_in_session: int


class Hits(Schema):
    """`total_hits` is null beyond 1,000 and on later pages; `notes` say what was not understood."""

    items: list[Hit]
    total_hits: int | None
    next: str | None
    notes: list[str]


@router.get("/search", response=Hits, summary="Search")
def search_everything(request: ApiRequest, asked: Query[Search]) -> HttpResponse:
    """Words, "phrases", -not, OR, begin*, key:value. By session, at most three excerpts of each."""
    text = asked.q
    for name in names_of_filters():
        given = getattr(asked, name)
        for value in given if isinstance(given, list) else [given] if given else []:
            text = narrowed(text, name, value)
    found = search(
        request.auth.user, text, among=request.auth.sessions, order=asked.sort,
        cursor=asked.cursor, limit=asked.limit,
    )  # fmt: skip
    total = None if found.is_capped or asked.cursor else found.total
    return told(
        {"items": as_items(found), "total_hits": total, "next": found.next, "notes": found.notes}
    )
