"""Who descends from whom: waiting links are closed, copied history finds its owner.

A fork may be read before its parent. Whoever comes second settles both: the link, where they
part, and that usage in the shared part belongs to the parent.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from django.db.models import Q

from sessions_app.actions.bulk import in_groups
from sessions_app.actions.rollup import rebuild_rollups
from sessions_app.actions.tokens import recount_usage
from sessions_app.models import (
    AgentSession,
    Message,
    Relation,
    SessionAlias,
    SessionUsage,
    Usage,
    User,
)

LATE = datetime.max.replace(tzinfo=UTC)
MAX_FAMILY = 200
UNIQUE = 16  # characters; a shorter key ("@120", "L1") may stand in any session


def settle_lineage(
    fresh: Sequence[AgentSession], touched: Sequence[AgentSession], collector: User
) -> None:
    """After sessions were stored: close links to them, find forks by shared first messages."""
    _close_waiting(fresh, collector)
    _link_continuations(fresh)
    _link_families(fresh)
    mine = [session.pk for session in touched]
    relations = Relation.objects.filter(
        Q(child__in=mine) | Q(parent__in=mine), parent__isnull=False
    ).select_related("child", "parent")
    for relation in relations:
        _settle_ownership(relation)


def _close_waiting(fresh: Sequence[AgentSession], collector: User) -> None:
    by_name = {(session.backend, session.identity): session for session in fresh}
    aliases = SessionAlias.objects.filter(session__in=fresh).select_related("session")
    by_name.update({(alias.session.backend, alias.name): alias.session for alias in aliases})
    for names in in_groups(name for _, name in by_name):
        waiting = Relation.objects.filter(
            parent=None, parent_identity__in=names, child__collector=collector
        ).select_related("child")
        for relation in waiting:
            parent = by_name.get((relation.child.backend, relation.parent_identity))
            if parent is not None and parent.pk != relation.child_id:
                relation.parent = parent
                relation.save(update_fields=["parent"])


def _link_continuations(fresh: Sequence[AgentSession]) -> None:
    """The same conversation from another collector is its own session, linked to the first."""
    for identities in in_groups(session.identity for session in fresh):
        others: dict[tuple[str, str], AgentSession] = {}
        for row in AgentSession.objects.filter(identity__in=identities).order_by("-pk"):
            others[(row.backend, row.identity)] = row
        Relation.objects.bulk_create(
            [
                Relation(child=session, parent=first, kind=Relation.Kind.CONTINUATION,
                         parent_identity=first.short_id)
                for session in fresh
                if (first := others.get((session.backend, session.identity))) is not None
                and first.collector_id != session.collector_id
            ],
            ignore_conflicts=True,
        )  # fmt: skip


def _link_families(fresh: Sequence[AgentSession]) -> None:
    """Sessions of one collector that begin with the same message are one family of forks."""
    roots = {(session.collector_id, session.backend, session.root_key) for session in fresh}
    roots = {root for root in roots if len(root[2]) >= UNIQUE}
    for keys in in_groups(key for _, _, key in roots):
        families: dict[tuple[int, str, str], list[AgentSession]] = {}
        for row in AgentSession.objects.filter(root_key__in=keys).order_by("pk"):
            families.setdefault((row.collector_id, row.backend, row.root_key), []).append(row)
        for root, members in families.items():
            if root in roots and 1 < len(members) <= MAX_FAMILY:
                _link_family(members)


def _link_family(members: Sequence[AgentSession]) -> None:
    lines = {member.pk: _keys(member) for member in members}
    for child in members:
        older = [
            (shared, parent)
            for parent in members
            if parent.pk != child.pk
            and (shared := shared_prefix(lines[child.pk], lines[parent.pk]))
            and _comes_after(child, parent, shared, lines)
        ]
        if not older:
            continue
        shared, parent = max(older, key=lambda item: (item[0], -item[1].pk))
        Relation.objects.update_or_create(
            child=child,
            kind=Relation.Kind.FORK,
            parent_identity=parent.identity,
            defaults={"parent": parent, "forked_at_seq": shared},
        )


def _keys(session: AgentSession) -> list[tuple[str, datetime]]:
    rows = Message.objects.filter(session=session).order_by("seq").values_list("key", "at")
    return [(key, at or LATE) for key, at in rows.iterator(chunk_size=5000)]


def shared_prefix(one: Sequence[tuple[str, datetime]], two: Sequence[tuple[str, datetime]]) -> int:
    """How many messages two conversations have in common from the start."""
    count = 0
    for (first, _), (second, _) in zip(one, two, strict=False):
        if first != second:
            break
        count += 1
    return count


def _comes_after(
    child: AgentSession,
    parent: AgentSession,
    shared: int,
    lines: dict[int, list[tuple[str, datetime]]],
) -> bool:
    """The fork is the one whose first own line is later; a mere prefix is the older one."""
    own = [
        lines[session.pk][shared][1] if shared < len(lines[session.pk]) else None
        for session in (child, parent)
    ]
    if own[0] is None or own[1] is None:
        return own[0] is not None or (own[1] is None and child.pk > parent.pk)
    return (own[0], child.pk) > (own[1], parent.pk)


def _settle_ownership(relation: Relation) -> None:
    """Usage in both conversations belongs to the parent, whichever file was read first."""
    child, parent = relation.child, relation.parent
    if parent is None:
        return
    both = SessionUsage.objects.filter(session=parent).values("usage")
    moved = Usage.objects.filter(session=child, pk__in=both).update(session=parent)
    if moved:
        rebuild_rollups([child.pk, parent.pk])
        for session in (child, parent):
            session.refresh_from_db()
            session.save(update_fields=recount_usage(session))
