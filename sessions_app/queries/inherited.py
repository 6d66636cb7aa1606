"""What a fork that holds only its own turns has from its parents: shown from there."""

from __future__ import annotations

from typing import NamedTuple

from sessions_app.models import AgentSession, Message, Relation
from sessions_app.queries.access import Person
from sessions_app.records import seq_before

MOST_PARENTS = 50  # a circle that forged files tell ends here


class Inherited(NamedTuple):
    """A session before the fork, and its last message that belongs to the fork's conversation."""

    session: AgentSession
    last_seq: int


def inherited(session: AgentSession, viewer: Person) -> list[Inherited]:
    """The nearest one first, as far as `viewer` may see them."""
    found: list[Inherited] = []
    until: int | None = None
    child = session
    visible = AgentSession.objects.visible_to(viewer)
    while len(found) < MOST_PARENTS:
        links = Relation.objects.filter(child=child, kind="fork", until__isnull=False)
        link = links.filter(parent__in=visible).select_related("parent").first()
        if link is None or link.parent is None or link.until is None:
            break
        child = link.parent
        found.append(Inherited(child, _last_seq(link, until)))
        until = link.until if until is None else min(until, link.until)
    return [item for item in found if item.last_seq]


def _last_seq(link: Relation, until: int | None) -> int:
    """Where the link parts, unless the fork left even earlier, inside what its parent inherits."""
    if until is None or link.until is None or until >= link.until:
        return link.forked_at_seq or 0
    rows = Message.objects.filter(session=link.parent_id).order_by("seq")
    return seq_before(rows.values_list("seq", "metadata").iterator(chunk_size=1000), until)
