"""One session's page: a window of its conversation, what changed, and what belongs to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from django.db.models import (
    BigIntegerField,
    CharField,
    DateTimeField,
    Q,
    QuerySet,
    Value,
)
from django.db.models.functions import Coalesce, Length, Substr

from sessions_app.models import (
    AgentSession,
    Attachment,
    Message,
    Relation,
    SessionUsage,
    ToolCall,
    User,
)

WINDOW = 100  # messages
TEXT_SHOWN = 20_000  # characters of one message that a window fetches
LEAD = 3  # messages shown before the one that a permalink names
CHANGES = 200  # messages that one poll may answer
PROMPTS = 200  # in the outline
RELATED = SAVED = 500  # links, snapshots and artifacts that one page lists

# What the programs say among themselves; notices that matter to a reader are not hidden.
NOTICES = ("compaction", "error", "command", "note")
HIDDEN = Q(kind="injected") | (Q(role=Message.Role.SYSTEM) & ~Q(kind__in=NOTICES))

# The columns of a message that stand before its words in `Said`.
PLAIN = ("pk", "seq", "revision", "role", "kind", "model", "layout", "at")
# What a link to a related session shows.
OF_KIN = ("short_id", "title", "name", "prompt", "status")


class Spent(NamedTuple):
    """Tokens and money of the responses that a message came with; no cost = without a price."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    cost: Decimal | None
    is_recorded: bool

    @property
    def total(self) -> int:
        return self.input + self.output + self.cache_read + self.cache_write


class Said(NamedTuple):
    """A message of a window: a tuple, because a hundred model instances take longer to make
    than to read. `text` and `thinking` may be cut, their sizes are those of all of it."""

    pk: int
    seq: int
    revision: int
    role: str
    kind: str
    model: str
    layout: str
    at: datetime | None
    text: str
    thinking: str
    text_size: int
    thinking_size: int


class Called(NamedTuple):
    """A tool call of a window, likewise; its bodies are fetched when somebody opens it."""

    pk: int
    message_id: int
    call_id: str
    name: str
    input_preview: str
    output_preview: str
    is_error: bool
    exit_code: int | None
    ended: bool
    ended_at: datetime | None


Row = TypeVar("Row", Called, Attachment)


@dataclass
class Window:
    """Some messages in a row, with everything that is shown of them."""

    messages: list[Said]
    calls: dict[int, list[Called]] = field(default_factory=dict)
    images: dict[int, list[Attachment]] = field(default_factory=dict)
    spent: dict[int, Spent] = field(default_factory=dict)
    has_before: bool = False
    has_after: bool = False


class Wanted(NamedTuple):
    """Which window: after or before a message, the end, or around one; else the beginning."""

    after: int | None = None
    before: int | None = None
    at: int | None = None
    last: bool = False
    hidden: bool = False  # with what is hidden by default


class Kin(NamedTuple):
    """A session related to the one that is shown."""

    relation: str  # fork, merge, subagent, continuation
    is_parent: bool
    call_id: str
    forked_at_seq: int | None
    session: AgentSession


class SavedState(NamedTuple):
    """A snapshot without its state."""

    step: int
    size: int
    at: datetime
    problem: str


class SavedFile(NamedTuple):
    """An artifact without its bytes."""

    path: str
    pk: int
    size: int


class Belongings(NamedTuple):
    """The small things that hang on a session."""

    tags: list[str]
    snapshots: list[SavedState]
    artifacts: list[SavedFile]


def window(session: AgentSession, wanted: Wanted) -> Window:
    """Up to 100 messages; the number of queries does not depend on how many."""
    rows = _messages(session, wanted.hidden)
    if wanted.before is not None or wanted.last:
        if wanted.before is not None:
            rows = rows.filter(seq__lt=wanted.before)
        found = list(rows.order_by("-seq")[: WINDOW + 1])
        more, other = len(found) > WINDOW, wanted.before is not None and bool(found)
        return _filled(found[:WINDOW][::-1], has_before=more, has_after=other)
    after = wanted.after or 0
    if wanted.at is not None:
        after = max(wanted.at - LEAD - 1, 0)
    found = list(rows.filter(seq__gt=after).order_by("seq")[: WINDOW + 1])
    return _filled(found[:WINDOW], has_before=after > 0, has_after=len(found) > WINDOW)


def changes(
    session: AgentSession, since: int, first: int, last: int | None, *, hidden: bool
) -> Window:
    """Messages of revisions after `since` between two places, the oldest change first."""
    rows = _messages(session, hidden).filter(revision__gt=since, seq__gte=first)
    if last is not None:
        rows = rows.filter(seq__lte=last)
    found = list(rows.order_by("revision", "seq")[: CHANGES + 1])
    return _filled(found[:CHANGES], has_after=len(found) > CHANGES)


def one_message(session: AgentSession, seq: int) -> Said | None:
    """A message with all its words."""
    rows = Message.objects.filter(session=session, seq=seq)
    found = rows.values_list(*PLAIN, "text", "thinking", Length("text"), Length("thinking")).first()
    return Said(*found) if found else None


def prompts(session: AgentSession) -> list[tuple[int, str]]:
    """The first prompts of a session: place and beginning."""
    rows = Message.objects.filter(session=session, kind="prompt").order_by("seq")
    return list(rows.annotate(head=Substr("text", 1, 200)).values_list("seq", "head")[:PROMPTS])


def kin(session: AgentSession, user: User) -> list[Kin]:
    """Related sessions that this person may see."""
    links = Relation.objects.filter(Q(child=session) | Q(parent=session), parent__isnull=False)
    names = ("kind", "child", "parent", "call_id", "forked_at_seq")
    found = [
        (kind, child == session.pk, parent if child == session.pk else child, call, seq)
        for kind, child, parent, call, seq in links.order_by("pk").values_list(*names)[:RELATED]
    ]
    if not found:
        return []
    visible = AgentSession.objects.visible_to(user).only(*OF_KIN)
    others = visible.in_bulk([other for _, _, other, _, _ in found])
    return [
        Kin(kind, is_parent, call, seq, others[other])
        for kind, is_parent, other, call, seq in found
        if other in others
    ]


def started_by(session: AgentSession, calls: Sequence[str], user: User) -> dict[str, AgentSession]:
    """Sub-agents that this person may see, by the call that started them."""
    links = Relation.objects.filter(
        parent=session,
        kind=Relation.Kind.SUBAGENT,
        call_id__in=calls,
        child__in=AgentSession.objects.visible_to(user),
    )
    return {link.call_id: link.child for link in links.select_related("child")}


def belongings(session: AgentSession) -> Belongings:
    """Tags, snapshots (the latest first) and artifacts: in one query, without contents."""
    no_words, no_number = Value("", CharField()), Value(0, BigIntegerField())
    no_time, heard = Value(None, DateTimeField()), Coalesce("at", "received_at")
    tags = session.tag_links.order_by().values_list(
        Value("tag", CharField()), "tag__name", no_number, no_number, no_time, no_words
    )
    states = session.snapshots.order_by().values_list(
        Value("snapshot", CharField()), no_words, "step", "size", heard, "problem"
    )
    files = session.artifacts.order_by().values_list(
        Value("artifact", CharField()), "path", "pk", "size", no_time, no_words
    )
    found = Belongings([], [], [])
    for kind, name, number, size, at, problem in tags.union(states, files, all=True)[:SAVED]:
        if kind == "tag":
            found.tags.append(name)
        elif kind == "snapshot":
            found.snapshots.append(SavedState(number, size, at, problem))
        else:
            found.artifacts.append(SavedFile(name, number, size))
    return Belongings(
        sorted(found.tags), sorted(found.snapshots, reverse=True), sorted(found.artifacts)
    )


def _messages(session: AgentSession, hidden: bool) -> QuerySet[Message, tuple[Any, ...]]:
    rows = Message.objects.filter(session=session)
    return (rows if hidden else rows.exclude(HIDDEN)).values_list(
        *PLAIN,
        Substr("text", 1, TEXT_SHOWN),
        Substr("thinking", 1, TEXT_SHOWN),
        Length("text"),
        Length("thinking"),
    )


def _filled(
    rows: Iterable[tuple[Any, ...]], *, has_before: bool = False, has_after: bool = False
) -> Window:
    """The window of these messages, with everything that is shown of them."""
    window = Window([Said(*row) for row in rows], has_before=has_before, has_after=has_after)
    ids = [message.pk for message in window.messages]
    if ids:
        calls = ToolCall.objects.filter(message__in=ids).order_by("ordinal")
        window.calls = _by_message(Called(*row) for row in calls.values_list(*Called._fields))
        window.images = _by_message(Attachment.objects.filter(message__in=ids).order_by("ordinal"))
        window.spent = _spent(ids)
    return window


def _by_message(rows: Iterable[Row]) -> dict[int, list[Row]]:
    out: dict[int, list[Row]] = {}
    for row in rows:
        out.setdefault(row.message_id, []).append(row)
    return out


def _spent(ids: Sequence[int]) -> dict[int, Spent]:
    out: dict[int, Spent] = {}
    rows = SessionUsage.objects.filter(message__in=ids).values_list(
        "message", *(f"usage__{name}" for name in Spent._fields)
    )
    for message, *numbers in rows:
        out[message] = _added(out.get(message), Spent(*numbers))
    return out


def _added(before: Spent | None, more: Spent) -> Spent:
    if before is None:
        return more
    cost = None if before.cost is None or more.cost is None else before.cost + more.cost
    return Spent(
        before.input + more.input,
        before.output + more.output,
        before.cache_read + more.cache_read,
        before.cache_write + more.cache_write,
        cost,
        more.is_recorded,
    )
