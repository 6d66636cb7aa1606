"""Tags, aliases, and links to parents that the agents themselves recorded."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings

from sessions_app import border
from sessions_app.actions.bulk import in_groups
from sessions_app.actions.lineage import Pairs, Touched, settle_lineage
from sessions_app.actions.record.batch import Collector, Entry
from sessions_app.models import AgentSession, Message, Relation, SessionAlias, SessionTag, Tag
from sessions_app.records import RelationRecord


def record(entries: Sequence[Entry], by: Collector, met: Pairs) -> None:
    """Write what the records say about names, tags and parents, then settle the lineage.

    `met`: (session, owner) of responses that a session now holds and another one owns.
    """
    _record_aliases(entries, by)
    _record_tags(entries, by)
    made = _record_relations(entries, by)
    touched = [
        Touched(entry.session, entry.seq_before, entry.is_new, entry.is_renamed, entry.replaced)
        for entry in entries
    ]
    settle_lineage(touched, by.user, made, met)


def _record_aliases(entries: Sequence[Entry], by: Collector) -> None:
    """An alias follows its record, which may come to speak of another session."""
    told = {entry.part.record.alias: entry.session for entry in entries if entry.part.record.alias}
    if not told:
        return
    known = SessionAlias.objects.filter(collector=by.user, name__in=told)
    have = dict(known.values_list("name", "session"))
    SessionAlias.objects.bulk_create(
        [
            SessionAlias(collector=by.user, name=name, session=session)
            for name, session in told.items()
            if have.get(name) != session.pk
        ],
        update_conflicts=True,
        unique_fields=["collector", "name"],
        update_fields=["session"],
    )


def _record_tags(entries: Sequence[Entry], by: Collector) -> None:
    defaults = [
        border.clean_line(name.replace("${USER}", by.owner.get_username()), 100)
        for name in settings.SESSIONS_DEFAULT_TAGS
    ]
    wanted = {
        (entry.session.pk, name): None
        for entry in entries
        for name in [*entry.part.record.tags, *(defaults if entry.is_new else [])]
    }
    if not wanted:
        return
    ids: dict[str, int] = {}
    for names in in_groups(name for _, name in wanted):
        known = dict(Tag.objects.filter(name__in=names).values_list("name", "pk"))
        fresh = [Tag(name=name) for name in names if name not in known]
        Tag.objects.bulk_create(fresh, ignore_conflicts=True)
        ids |= dict(Tag.objects.filter(name__in=names).values_list("name", "pk"))
    sessions = {session for session, _ in wanted}
    have = set(SessionTag.objects.filter(session__in=sessions).values_list("session_id", "tag_id"))
    SessionTag.objects.bulk_create(
        [
            SessionTag(session_id=session, tag_id=ids[name])
            for session, name in wanted
            if (session, ids[name]) not in have
        ],
        ignore_conflicts=True,
    )


def _record_relations(entries: Sequence[Entry], by: Collector) -> Pairs:
    """Write the links; answers (child, parent) of those whose parent is known."""
    replaced = [entry.session.pk for entry in entries if entry.replaced]
    # Of a conversation that was read anew the old place where it left its parent tells nothing.
    Relation.objects.filter(
        child__in=replaced, kind=Relation.Kind.FORK, forked_at_seq__isnull=False
    ).delete()
    told = [(entry.session, link) for entry in entries for link in entry.part.record.relations]
    if not told:
        return set()
    parents = _named({link.parent_identity for _, link in told}, by)
    stored = Relation.objects.filter(child__in=[child.pk for child, _ in told])
    have = {(link.child_id, link.kind, link.parent_identity): link for link in stored}
    fresh: dict[tuple[int, str, str], Relation] = {}
    for child, link in told:
        parent = parents.get((child.backend, link.parent_identity))
        # A record may name the session itself, or another name of it.
        if link.parent_identity == child.identity or parent == child.pk:
            continue
        key = (child.pk, link.kind, link.parent_identity)
        row = have.get(key) or fresh.setdefault(
            key,
            Relation(child=child, parent_id=parent, parent_identity=link.parent_identity,
                     kind=link.kind, until=link.until),
        )  # fmt: skip
        told_now = (link.call_id or row.call_id, row.until if link.until is None else link.until)
        if told_now != (row.call_id, row.until):
            row.call_id, row.until = told_now
            if key in have:
                row.save(update_fields=["call_id", "until"])
    Relation.objects.bulk_create(fresh.values())
    _record_places(told)
    return {(row.child_id, row.parent_id) for row in fresh.values() if row.parent_id is not None}


def _record_places(told: Sequence[tuple[AgentSession, RelationRecord]]) -> None:
    """Where a fork left its parent: its last message that is a copy, if the agent tells it."""
    for child, link in told:
        place = Message.objects.filter(session=child, key=link.message_key).values("seq")
        if link.message_key and (found := place.first()):
            Relation.objects.filter(
                child=child, kind=link.kind, parent_identity=link.parent_identity
            ).exclude(forked_at_seq=found["seq"]).update(forked_at_seq=found["seq"])


def _named(names: set[str], by: Collector) -> dict[tuple[str, str], int]:
    """(backend, identity or alias) -> session, of the sessions of this collector."""
    found: dict[tuple[str, str], int] = {}
    for group in in_groups(names):
        rows = AgentSession.objects.filter(collector=by.user, identity__in=group)
        for backend, identity, pk in rows.values_list("backend", "identity", "pk"):
            found[(backend, identity)] = pk
        aliases = SessionAlias.objects.filter(collector=by.user, name__in=group)
        for backend, name, pk in aliases.values_list("session__backend", "name", "session"):
            found[(backend, name)] = pk
    return found
