"""Which messages, tool calls and sessions match, among the sessions that a person may see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db.models import Q
from django.db.models.expressions import RawSQL

from sessions_app.models import AgentSession, Message, ToolCall
from sessions_app.models.session import SessionQuerySet
from sessions_app.queries.search.engines import matching, rows
from sessions_app.queries.search.grammar import Asked

CAP = 1_000  # hits that are counted exactly
MOST_LISTED = 20_000  # hits of one kind that the list of sessions looks at

MESSAGE, CALL, FACTS = "message", "call", "session"
INDEXES = {MESSAGE: "search_message", CALL: "search_call", FACTS: "search_session"}
TABLES = {MESSAGE: Message, CALL: ToolCall, FACTS: AgentSession}
BEGINNING = 2**62  # beyond every id


class Bounds(NamedTuple):
    """Only rows with smaller ids: where a window of hits begins."""

    message: int = BEGINNING
    call: int = BEGINNING
    session: int = BEGINNING


@dataclass(slots=True)
class Found:
    """The newest hits, by session: ids of messages and of calls, and whether its facts match."""

    messages: dict[int, list[int]] = field(default_factory=dict)
    calls: dict[int, list[int]] = field(default_factory=dict)
    facts: set[int] = field(default_factory=set)
    total: int = 0
    older: Bounds | None = None  # where the next window begins, when there are more

    def sessions(self) -> set[int]:
        return self.messages.keys() | self.calls.keys() | self.facts

    def count(self, session: int) -> int:
        """Hits in one session; that only its facts match is one."""
        count = len(self.messages.get(session, ())) + len(self.calls.get(session, ()))
        return count or 1

    @property
    def is_capped(self) -> bool:
        return self.older is not None or self.total > CAP


def find(asked: Asked, sessions: SessionQuerySet, bounds: Bounds | None = None) -> Found:
    """The newest hits in `sessions`, those of each kind up to the cap."""
    bounds = bounds or Bounds()
    found, ends = Found(), {}
    for kind, below in zip(INDEXES, bounds, strict=True):
        hits = _hits(kind, asked, sessions, below) if below else []
        ends[kind] = hits[CAP - 1][0] if len(hits) > CAP else 0
        for pk, session in hits[:CAP]:
            if kind == FACTS:
                found.facts.add(session)
            else:
                place = found.messages if kind == MESSAGE else found.calls
                place.setdefault(session, []).append(pk)
        found.total += len(hits) if kind != FACTS else 0
    found.total += len(found.facts - found.messages.keys() - found.calls.keys())
    if any(ends.values()):
        found.older = Bounds(*ends.values())
    return found


def _hits(kind: str, asked: Asked, sessions: SessionQuerySet, below: int) -> list[tuple[Any, ...]]:
    """(id, session) of the newest hits; the gate to the sessions is inside of the query."""
    column = "id" if kind == FACTS else "session_id"
    gate = sessions.filter(pk=RawSQL(f't."{column}"', [])).order_by().values("pk")
    try:
        gate_sql, gate_params = gate.query.sql_with_params()
    except EmptyResultSet:
        return []
    match, params = matching(INDEXES[kind], asked)
    table = TABLES[kind]._meta.db_table
    return rows(
        f'SELECT m.id, t."{column}" FROM ({match}) m CROSS JOIN "{table}" t'
        f" WHERE t.id = m.id AND m.id < %s AND EXISTS ({gate_sql})"
        f" ORDER BY m.id DESC LIMIT {CAP + 1}",
        [*params, below, *gate_params],
    )


def mentions(asked: Asked) -> Q:
    """Sessions in which it is said, for the list: looks at the newest hits of each kind."""
    found = Q()
    for kind in INDEXES:
        column = "id" if kind == FACTS else "session_id"
        match, params = matching(INDEXES[kind], asked)
        table = TABLES[kind]._meta.db_table
        found |= Q(
            pk__in=RawSQL(
                f'SELECT t."{column}" FROM (SELECT id FROM ({match}) a ORDER BY id DESC'
                f' LIMIT {MOST_LISTED}) m CROSS JOIN "{table}" t WHERE t.id = m.id',
                params,
            )
        )
    return found


def places(asked: Asked, session: AgentSession) -> Iterator[tuple[int, str]]:
    """(seq, kind) of every hit in one session's conversation, in order."""
    found: list[tuple[int, str]] = []
    for kind, column in ((MESSAGE, "t.seq"), (CALL, "o.seq")):
        match, params = matching(INDEXES[kind], asked)
        table, origin = TABLES[kind]._meta.db_table, Message._meta.db_table
        join = "" if kind == MESSAGE else f' JOIN "{origin}" o ON o.id = t.message_id'
        found += [
            (seq, kind)
            for (seq,) in rows(
                f'SELECT {column} FROM ({match}) m CROSS JOIN "{table}" t{join}'
                " WHERE t.id = m.id AND t.session_id = %s",
                [*params, session.pk],
            )
        ]
    yield from sorted(set(found))
