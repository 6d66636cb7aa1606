"""Which messages a merged session holds, and in which order. Reads only."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sessions_app.actions.lineage import UNIQUE
from sessions_app.models import AgentSession, Attachment, Message, ToolCall
from sessions_app.records import tells_a_place

PAGE = 1000
Place = tuple[int, int]  # which source, and seq there


@dataclass(slots=True)
class Line:
    """One message of the merged session, and every place where a source holds it."""

    pk: int
    key: str
    at: datetime  # for the order: never before that of the message before it
    open_calls: int
    places: list[Place]

    @property
    def source(self) -> int:
        return self.places[0][0]


@dataclass(slots=True)
class Plan:
    """The messages in order, and what stands for a message that was left out."""

    lines: list[Line] = field(default_factory=list)
    duplicates: int = 0
    kept_for: dict[int, int] = field(default_factory=dict)  # left out -> kept, primary keys


def plan_merge(sources: Sequence[AgentSession], *, by_time: bool) -> Plan:
    """What a merge of these sessions would hold.

    A message of two sources is one message when it has the same id of its own, or when the same
    was said at the same time; within one session nothing is left out.
    """
    kept: list[list[Line]] = []
    plan = Plan()
    seen: dict[Hashable, Line] = {}
    for index, session in enumerate(sources):
        mine: list[Line] = []
        for line, names in _lines(index, session):
            same = next(
                (seen[name] for name in names if name in seen and seen[name].source != index), None
            )
            if same is None:
                mine.append(line)
            else:
                plan.duplicates += 1
                _join(same, line, plan)
            for name in names:
                seen.setdefault(name, same or line)
        kept.append(mine)
    if by_time:
        plan.lines = list(heapq.merge(*kept, key=lambda line: (line.at, line.source)))
    else:
        plan.lines = [line for lines in kept for line in lines]
    return plan


def _join(line: Line, other: Line, plan: Plan) -> None:
    """Of two copies the one stays whose calls have their results."""
    line.places += other.places
    gone = other.pk
    if other.open_calls < line.open_calls:
        gone, line.pk, line.open_calls = line.pk, other.pk, other.open_calls
        for old, new in plan.kept_for.items():
            if new == gone:
                plan.kept_for[old] = line.pk
    plan.kept_for[gone] = line.pk


def _lines(index: int, session: AgentSession) -> Iterator[tuple[Line, list[Hashable]]]:
    """The messages of one source, each with the names by which a copy of it is known."""
    said: Counter[Hashable] = Counter()
    before = session.created_at
    for pk, seq, key, at, received_at, digest, waiting in _messages(session):
        told = at or (received_at if session.source == "api" else before)
        before = max(before, told)
        said[at, digest] += 1
        names: list[Hashable] = [(at, digest, said[at, digest])]
        if not tells_a_place(key):
            names.append((key, digest))
            if len(key) >= UNIQUE:
                names.append(key)
        yield Line(pk, key, before, waiting, [(index, seq)]), names


Row = tuple[int, int, str, datetime | None, datetime, bytes, int]


def _messages(session: AgentSession) -> Iterator[Row]:
    """Page by page, so that the words of a long session never lie in memory together."""
    last = 0
    rows = Message.objects.filter(session=session).order_by("seq")
    columns = ("pk", "seq", "key", "at", "received_at", "role", "text", "thinking")
    while page := list(rows.filter(seq__gt=last).values_list(*columns)[:PAGE]):
        last = page[-1][1]
        parts, waiting = _parts([row[0] for row in page])
        for pk, seq, key, at, received_at, *words in page:
            digest = hashlib.blake2b(repr((words, parts[pk])).encode(), digest_size=16).digest()
            yield pk, seq, key, at, received_at, digest, waiting[pk]


def _parts(messages: list[int]) -> tuple[dict[int, list[object]], Counter[int]]:
    """What hangs on these messages: calls and images; and how many calls have no result."""
    parts: dict[int, list[object]] = defaultdict(list)
    waiting: Counter[int] = Counter()
    calls = ToolCall.objects.filter(message__in=messages).order_by("message", "ordinal")
    for message, ended, *call in calls.values_list(
        "message", "ended", "name", "input_preview", "input_size"
    ):
        parts[message].append(call)
        waiting[message] += not ended
    images = Attachment.objects.filter(message__in=messages, call_id="").order_by("pk")
    for message, sha256 in images.values_list("message", "sha256"):
        parts[message].append(sha256)
    return parts, waiting
