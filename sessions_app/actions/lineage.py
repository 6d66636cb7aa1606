"""Who descends from whom: waiting links are closed, copied history finds its owner.

A fork may be read before its parent. Whoever comes second settles both: the link, where they
part, and that usage in the shared part belongs to the parent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from sessions_app.actions.bulk import in_groups
from sessions_app.actions.families import link_family
from sessions_app.actions.rollup import rebuild_rollups
from sessions_app.actions.tokens import recount_stored
from sessions_app.models import AgentSession, Message, Relation, SessionAlias, Usage, User
from sessions_app.records import seq_before

MAX_FAMILY = 200
UNIQUE = 16  # characters; a shorter key ("@120", "L1") may stand in any session

Pairs = set[tuple[int, int]]
Root = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Touched:
    """A session that was stored just now, and how many messages it had before."""

    session: AgentSession
    seq_before: int
    is_new: bool
    is_renamed: bool  # it is not new, but its identity is
    is_replaced: bool  # its conversation was read anew

    @property
    def root(self) -> Root:
        """What it has in common with its family."""
        return self.session.collector_id, self.session.backend, self.session.root_key


def settle_lineage(touched: Sequence[Touched], collector: User, made: Pairs, met: Pairs) -> None:
    """After sessions were stored: close links to them, find forks by shared first messages.

    `made`: (child, parent) of links that were written just now. `met`: (session, owner) where a
    session now holds what another one owns.
    """
    made = made | _close_waiting([item.session for item in touched], collector)
    made |= _link_continuations(
        [item.session for item in touched if item.is_new or item.is_renamed]
    )
    made |= _link_families(touched)
    # What a new session shares with others was met just now; between old ones a new link tells.
    new = {item.session.pk for item in touched if item.is_new}
    between_old = {pair for pair in made if new.isdisjoint(pair)}
    _settle_ownership(between_old | {(owner, holder) for holder, owner in met})
    _settle_partings(touched)


def _close_waiting(sessions: Sequence[AgentSession], collector: User) -> Pairs:
    """Links that knew only the name of one of these sessions."""
    by_name = {(session.backend, session.identity): session.pk for session in sessions}
    pks = [session.pk for session in sessions]
    aliases = SessionAlias.objects.filter(session__in=pks)
    for backend, name, pk in aliases.values_list("session__backend", "name", "session"):
        by_name[(backend, name)] = pk
    closed = set()
    for names in in_groups(name for _, name in by_name):
        waiting = Relation.objects.filter(
            parent=None, parent_identity__in=names, child__collector=collector
        ).select_related("child")
        for relation in waiting:
            parent = by_name.get((relation.child.backend, relation.parent_identity))
            if parent is not None and parent != relation.child_id:
                relation.parent_id = parent
                relation.save(update_fields=["parent"])
                closed.add((relation.child_id, parent))
    return closed


def _link_continuations(named: Sequence[AgentSession]) -> Pairs:
    """The same conversation from another collector is its own session, linked to the first."""
    links = []
    for identities in in_groups(session.identity for session in named):
        first: dict[tuple[str, str], AgentSession] = {}
        rows = AgentSession.objects.filter(identity__in=identities).order_by("pk")
        for row in rows.only("pk", "backend", "identity", "collector", "short_id"):
            first.setdefault((row.backend, row.identity), row)
        links += [
            Relation(child=session, parent=parent, kind=Relation.Kind.CONTINUATION,
                     parent_identity=parent.short_id)
            for session in named
            if (parent := first.get((session.backend, session.identity))) is not None
            and parent.collector_id != session.collector_id
        ]  # fmt: skip
    Relation.objects.bulk_create(links, ignore_conflicts=True)
    return {(link.child_id, link.parent_id) for link in links if link.parent_id is not None}


def _link_families(touched: Sequence[Touched]) -> Pairs:
    """Sessions of one collector that begin with the same message are one family of forks."""
    mine: dict[Root, list[Touched]] = {}
    for item in touched:
        if len(item.session.root_key) >= UNIQUE:
            mine.setdefault(item.root, []).append(item)
    families: dict[Root, list[AgentSession]] = {}
    for keys in in_groups(root[2] for root in mine):
        rows = AgentSession.objects.filter(root_key__in=keys).order_by("pk")
        for row in rows.only("pk", "collector", "backend", "root_key", "identity", "last_seq"):
            root = (row.collector_id, row.backend, row.root_key)
            if root in mine:
                families.setdefault(root, []).append(row)
    made: Pairs = set()
    for root, members in families.items():
        if 1 < len(members) <= MAX_FAMILY and _is_unsettled(mine[root], members):
            made |= link_family(members)
    return made


def _is_unsettled(touched: Sequence[Touched], members: Sequence[AgentSession]) -> bool:
    """Whether something new may change who descends from whom in this family.

    Once two conversations have parted, whatever follows in them changes nothing.
    """
    if any(item.is_replaced or item.seq_before == 0 for item in touched):
        return True
    before = {item.session.pk: item.seq_before for item in touched}
    family = [member.pk for member in members]
    links = Relation.objects.filter(
        Q(child__in=before) | Q(parent__in=before),
        kind=Relation.Kind.FORK, child__in=family, parent__in=family,
    ).values_list("child", "parent", "forked_at_seq")  # fmt: skip
    parted: dict[int, bool] = {}
    for child, parent, seq in links:
        for pk in before.keys() & {child, parent}:
            parted[pk] = parted.get(pk, True) and seq is not None and seq < before[pk]
    return any(not parted.get(pk, False) for pk in before)


def _settle_partings(touched: Sequence[Touched]) -> None:
    """Where forks that hold only their own turns left their parents.

    The parent may come later, in several parts, or be read anew; once it has gone on beyond
    that place nothing changes.
    """
    here = {item.session.pk: item for item in touched}
    links = Relation.objects.filter(
        Q(child__in=here) | Q(parent__in=here), parent__isnull=False, until__isnull=False
    )
    for link in links:
        item, known = here.get(link.parent_id or 0), link.forked_at_seq
        if item is None and known is not None:
            continue
        if item is not None and item.is_replaced:
            known = None
        elif item is not None and known is not None and known < item.seq_before:
            continue
        rows = Message.objects.filter(session=link.parent_id, seq__gt=known or 0).order_by("seq")
        places = rows.values_list("seq", "metadata").iterator(chunk_size=1000)
        seq = seq_before(places, link.until or 0, known or 0)
        if seq != link.forked_at_seq:
            link.forked_at_seq = seq
            link.save(update_fields=["forked_at_seq"])


def _settle_ownership(pairs: Pairs) -> None:
    """Usage in both conversations belongs to the parent, whichever file was read first.

    The farthest descendants come first, so that what a grandchild held ends with the oldest.
    Of two that are not related, as far as is known, it belongs to the one that began earlier.
    """
    if not pairs:
        return
    ancestry = _ancestry({pk for pair in pairs for pk in pair})
    depths = {pk: len(_before(pk, ancestry)) for pk in ancestry}
    links = [(child, parent) for child, parents in ancestry.items() for parent in parents]
    moved: set[int] = set()
    for child, parent in sorted(links, key=lambda link: -depths[link[0]]):
        if ((child, parent) in pairs or child in moved) and _move(child, parent):
            moved |= {child, parent}
    strangers = {
        (owner, holder)
        for owner, holder in pairs
        if holder not in _before(owner, ancestry) and owner not in _before(holder, ancestry)
    }
    for owner, holder in _to_older(strangers):
        if _move(owner, holder):
            moved |= {owner, holder}
    rebuild_rollups(moved)
    recount_stored(moved)


def _move(owner: int, holder: int) -> bool:
    """Give what both hold from one to the other; answers whether there was any."""
    rows = Usage.objects.filter(session=owner, links__session=holder).values_list("pk", flat=True)
    keys = list(rows)
    for group in in_groups(keys):
        Usage.objects.filter(pk__in=group).update(session=holder)
    return bool(keys)


def _to_older(pairs: Pairs) -> list[tuple[int, int]]:
    """Those of these (owner, holder) whose holder is the older session, the oldest first."""
    rows = AgentSession.objects.filter(pk__in={pk for pair in pairs for pk in pair})
    born = {pk: key for pk, *key in rows.values_list("pk", "created_at", "identity", "pk")}
    older = [pair for pair in pairs if born[pair[1]] < born[pair[0]]]
    return sorted(older, key=lambda pair: born[pair[1]])


def _ancestry(sessions: set[int]) -> dict[int, set[int]]:
    """child -> its parents, for these sessions and all before them."""
    found: dict[int, set[int]] = {}
    waiting = set(sessions)
    while waiting:
        found.update({pk: set() for pk in waiting})
        links = Relation.objects.filter(child__in=waiting, parent__isnull=False)
        for child, parent in links.values_list("child", "parent"):
            if parent is not None:
                found[child].add(parent)
        waiting = {parent for pk in waiting for parent in found[pk]} - found.keys()
    return found


def _before(pk: int, ancestry: dict[int, set[int]]) -> set[int]:
    """All that lie before it; a circle that a forged file tells ends somewhere."""
    seen: set[int] = set()
    generation = {pk}
    while generation := {up for low in generation for up in ancestry[low]} - seen:
        seen |= generation
    return seen
