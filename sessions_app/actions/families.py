"""Forks that no agent tells of: conversations that begin with the same messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cmp_to_key

from sessions_app.models import AgentSession, Message, Relation

LATE = datetime.max.replace(tzinfo=UTC)
MOST_MESSAGES = 300_000  # of a family; comparing more would take minutes and memory

Lines = list[tuple[str, datetime]]


def link_family(members: Sequence[AgentSession]) -> set[tuple[int, int]]:
    """Link every fork to its parent, once; answers (child, parent) of the links that are new."""
    if sum(member.last_seq for member in members) > MOST_MESSAGES:
        return set()
    family = Family(members)
    have = {
        (link.child_id, link.parent_id): link
        for link in Relation.objects.filter(
            kind=Relation.Kind.FORK, child__in=family.lines, parent__in=family.lines
        )
    }
    made = set()
    for child in members:
        found = family.parent_of(child)
        wanted = {(child.pk, found[0].pk)} if found else set()
        stale = [
            link.pk for pair, link in have.items() if pair[0] == child.pk and pair not in wanted
        ]
        Relation.objects.filter(pk__in=stale).delete()
        if found is None:
            continue
        parent, shared = found
        link = have.get((child.pk, parent.pk))
        if link is None:
            Relation.objects.update_or_create(
                child=child, kind=Relation.Kind.FORK, parent_identity=parent.identity,
                defaults={"parent": parent, "forked_at_seq": shared},
            )  # fmt: skip
            made.add((child.pk, parent.pk))
        elif link.forked_at_seq != shared:
            link.forked_at_seq = shared
            link.save(update_fields=["forked_at_seq"])
    return made


class Family:
    """Sessions of one collector whose first message is the same."""

    def __init__(self, members: Sequence[AgentSession]) -> None:
        self.members = members
        self.lines = {member.pk: _lines(member) for member in members}

    def parent_of(self, child: AgentSession) -> tuple[AgentSession, int] | None:
        """The older session with which it has the most in common, and how much that is."""
        older = [
            (shared, parent)
            for parent in self.members
            if parent.pk != child.pk
            and (shared := self._shared(child, parent))
            and self._comes_after(child, parent, shared)
        ]
        if not older:
            return None
        most = max(shared for shared, _ in older)
        closest = [parent for shared, parent in older if shared == most]
        # It left before these parted from each other: then it left the oldest of them.
        return min(closest, key=cmp_to_key(self._by_age)), most

    def _shared(self, one: AgentSession, two: AgentSession) -> int:
        return shared_prefix(self.lines[one.pk], self.lines[two.pk])

    def _by_age(self, one: AgentSession, two: AgentSession) -> int:
        return 1 if self._comes_after(one, two, self._shared(one, two)) else -1

    def _comes_after(self, child: AgentSession, parent: AgentSession, shared: int) -> bool:
        """The fork is the one whose first own line is later; a mere prefix is the older one."""
        own = [
            self.lines[session.pk][shared][1] if shared < len(self.lines[session.pk]) else None
            for session in (child, parent)
        ]
        if own[0] is None or own[1] is None:
            both = own[0] is None and own[1] is None
            return own[0] is not None or (both and child.identity > parent.identity)
        return (own[0], child.identity) > (own[1], parent.identity)


def _lines(session: AgentSession) -> Lines:
    rows = Message.objects.filter(session=session).order_by("seq").values_list("key", "at")
    return [(key, at or LATE) for key, at in rows.iterator(chunk_size=5000)]


def shared_prefix(one: Lines, two: Lines) -> int:
    """How many messages two conversations have in common from the start."""
    count = 0
    for (first, _), (second, _) in zip(one, two, strict=False):
        if first != second:
            break
        count += 1
    return count
