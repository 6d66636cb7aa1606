"""A page of what was found: by session, with excerpts, counts and ways on."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q
from django.utils import timezone

from sessions_app import words
from sessions_app.models import AgentSession, Message, ToolCall, User
from sessions_app.models.session import SessionQuerySet
from sessions_app.packing import unpack_text
from sessions_app.queries.filters import Asking, names_of_filters, read_condition
from sessions_app.queries.moments import BadValue
from sessions_app.queries.search import grammar
from sessions_app.queries.search.excerpts import Excerpt, excerpt
from sessions_app.queries.search.facets import Facet, Known, facets_of, known_of
from sessions_app.queries.search.grammar import Asked
from sessions_app.queries.search.hits import BEGINNING, CAP, Bounds, Found, find

ORDERS = ("newest", "best")
LIMIT, MOST = 10, 100
ROLES = {"user": "prompt", "assistant": "answer"}
SHOWN = 3  # excerpts of one session
Key = tuple[float, int]
COLUMNS = (
    "short_id", "title", "name", "prompt", "description", "work_dir", "git_branch", "backend",
    "last_active", "project__name", "owner__username", "owner__first_name", "owner__last_name",
)  # fmt: skip


class Hit(NamedTuple):
    """One excerpt: of a message (prompt, answer, thinking ...), a tool call, or the session."""

    seq: int | None
    where: str
    excerpt: Excerpt
    tool: str = ""


@dataclass(slots=True)
class Result:
    session: AgentSession
    hits: list[Hit]
    count: int  # hits in this session, as far as this window of hits goes


@dataclass(slots=True)
class Results:
    asked: Asked
    items: list[Result] = field(default_factory=list)
    facets: list[Facet] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    total: int = 0
    session_count: int = 0
    is_capped: bool = False
    order: str = ORDERS[0]
    next: str | None = None


def search(
    user: User,
    text: str,
    *,
    among: SessionQuerySet | None = None,
    order: str = ORDERS[0],
    cursor: str = "",
    limit: int = LIMIT,
    now: datetime | None = None,
) -> Results:
    """What `text` finds in the sessions that this person may see."""
    asked = grammar.read(text, names_of_filters())
    results = Results(asked, notes=asked.notes, order=order)
    condition = _condition(asked, Asking(user, now or timezone.now()), results.notes)
    sessions = (AgentSession.objects.all() if among is None else among).visible_to(user)
    sessions = sessions.filter(condition)
    if asked.is_empty:
        return results
    bounds, after = _read_cursor(cursor, order)
    found = _found(asked, sessions, bounds)
    known = known_of(found.sessions())
    _fill(results, found, known, bounds, after, limit)
    if bounds == Bounds():
        results.total, results.session_count = found.total, len(known)
        results.is_capped = found.is_capped
    results.facets = facets_of(known, text, is_capped=found.is_capped)
    return results


def _condition(asked: Asked, asking: Asking, notes: list[str]) -> Q:
    condition = Q()
    positive: dict[str, list[str]] = {}
    for item in asked.filters:
        if not item.is_not:
            positive.setdefault(item.name, []).append(item.value)
    told = [(name, values, False) for name, values in positive.items()]
    told += [(item.name, [item.value], True) for item in asked.filters if item.is_not]
    for name, values, is_not in told:
        try:
            wanted = read_condition(asking, name, values)
        except BadValue as error:
            notes.append(str(error))
        else:
            condition &= ~wanted if is_not else wanted
    return condition


def _found(asked: Asked, sessions: SessionQuerySet, bounds: Bounds) -> Found:
    if asked.has_words:
        return find(asked, sessions, bounds)
    # Only filters: the sessions themselves, the latest first.
    newest = sessions.filter(pk__lt=min(bounds.session, BEGINNING)).order_by("-pk")
    ids = list(newest.values_list("pk", flat=True)[: CAP + 1])
    found = Found(facts=set(ids[:CAP]), total=len(ids))
    if len(ids) > CAP:
        found.older = Bounds(0, 0, ids[CAP - 1])
    return found


def _fill(
    results: Results,
    found: Found,
    known: Mapping[int, Known],
    bounds: Bounds,
    after: Key | None,
    limit: int,
) -> None:
    """The sessions after `after` in order of their keys, which no other page repeats."""
    keys = {pk: _key(results.order, found, known[pk], pk) for pk in known}
    ordered = sorted((key, pk) for pk, key in keys.items())[::-1]
    if after is not None:
        ordered = [item for item in ordered if item[0] < after]
    page = [pk for _, pk in ordered[:limit]]
    results.items = _results(page, found, results.asked)
    if len(ordered) > limit:
        results.next = _write_cursor(results.order, bounds, keys[page[-1]])
    elif found.older is not None:
        results.next = _write_cursor(results.order, found.older, None)


def _key(order: str, found: Found, known: Known, pk: int) -> Key:
    moment = known.last_active.timestamp()
    if order == "newest":
        return moment, pk
    said, done = len(found.messages.get(pk, ())), len(found.calls.get(pk, ()))
    score = 10 * (pk in found.facts) + 3 * min(said, 5) + min(done, 5)
    return score + moment / 1e11, pk


def _results(page: Sequence[int], found: Found, asked: Asked) -> list[Result]:
    stored = AgentSession.objects.select_related("project", "owner").only(*COLUMNS)
    sessions = stored.in_bulk(page)
    messages = [pk for one in page for pk in sorted(found.messages.get(one, ()))[:SHOWN]]
    room = {one: max(SHOWN - len(found.messages.get(one, ())), 0) for one in page}
    calls = [pk for one in page for pk in sorted(found.calls.get(one, ()))[: room[one]]]
    hits: dict[int, list[Hit]] = {pk: [] for pk in page}
    for session, hit in (*message_hits(messages, asked), *call_hits(calls, asked)):
        hits[session].append(hit)
    for pk in page:
        if not hits[pk]:
            hits[pk] = [_fact_hit(sessions[pk], asked)]
    return [Result(sessions[pk], hits[pk], found.count(pk)) for pk in page if pk in sessions]


def message_hits(ids: Iterable[int], asked: Asked) -> list[tuple[int, Hit]]:
    rows = Message.objects.filter(pk__in=list(ids)).order_by("pk")
    out = []
    for session, seq, role, kind, text, thinking in rows.values_list(
        "session", "seq", "role", "kind", "text", "thinking"
    ):
        where, best = kind or ROLES.get(role, role), excerpt(text, asked.terms)
        if thinking and not best.is_hit:
            thought = excerpt(thinking, asked.terms)
            if thought.is_hit or not text:
                where, best = "thinking", thought
        out.append((session, Hit(seq, where, best)))
    return out


def call_hits(ids: Iterable[int], asked: Asked) -> list[tuple[int, Hit]]:
    rows = ToolCall.objects.filter(pk__in=list(ids)).order_by("pk")
    out = []
    for session, seq, name, given, given_packed, told, told_packed in rows.values_list(
        "session", "message__seq", "name", "input_preview", "input_packed", "output_preview",
        "output_packed",
    ):  # fmt: skip
        where, best = "tool output", excerpt(unpack_text(told, told_packed), asked.terms)
        if not best.is_hit:
            asked_for = words.unescaped(unpack_text(given, given_packed))
            side = excerpt(asked_for, asked.terms)
            if side.is_hit or not best.text:
                where, best = "tool input", side
        out.append((session, Hit(seq, where, best, name)))
    return out


def _fact_hit(session: AgentSession, asked: Asked) -> Hit:
    told = [session.title, session.prompt, session.description, session.name or ""]
    told += [session.work_dir, session.git_branch]
    tried = [excerpt(text, asked.terms) for text in told if text]
    first = next((item for item in tried if item.is_hit), None)
    return Hit(None, "session", first or (tried[0] if tried else Excerpt(("",), False)))


def _write_cursor(order: str, bounds: Bounds, after: Key | None) -> str:
    data = json.dumps([order, bounds, after])
    return base64.urlsafe_b64encode(data.encode()).decode().rstrip("=")


def _read_cursor(text: str, order: str) -> tuple[Bounds, Key | None]:
    """The first page for whatever was not written here, or for another order."""
    try:
        padded = text + "=" * (-len(text) % 4)
        made_for, bounds, after = json.loads(base64.b64decode(padded, altchars=b"-_"))
        if made_for != order or len(bounds) != len(Bounds._fields):
            return Bounds(), None
        numbers = [min(max(int(number), 0), BEGINNING) for number in bounds]
        return Bounds(*numbers), None if after is None else (float(after[0]), int(after[1]))
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, RecursionError):
        return Bounds(), None


def as_items(results: Results) -> list[dict[str, Any]]:
    """For programs: one item for each excerpt."""
    return [
        {
            "session_id": result.session.short_id,
            "title": result.session.title or result.session.prompt,
            "backend": result.session.backend,
            "project": result.session.project.name if result.session.project else None,
            "last_active": result.session.last_active.isoformat().replace("+00:00", "Z"),
            "seq": hit.seq,
            "where": hit.where,
            "tool": hit.tool or None,
            "excerpt": hit.excerpt.text,
            "marks": _marks(hit.excerpt),
            "hits_in_session": result.count,
        }
        for result in results.items
        for hit in result.hits
    ]


def _marks(found: Excerpt) -> list[list[int]]:
    """[start, end] of what matched, in characters of the excerpt."""
    marks, at = [], 0
    for index, piece in enumerate(found.pieces):
        if index % 2:
            marks.append([at, at + len(piece)])
        at += len(piece)
    return marks
