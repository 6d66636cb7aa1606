"""Tags, aliases, and links to parents that the agents themselves recorded."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings

from sessions_app.actions.bulk import in_groups
from sessions_app.actions.lineage import settle_lineage
from sessions_app.actions.record.batch import Collector, Entry
from sessions_app.models import (
    AgentSession,
    RawFile,
    Relation,
    SessionAlias,
    SessionTag,
    SessionUsage,
    Tag,
)


def record(entries: Sequence[Entry], by: Collector) -> None:
    """Write what the records say about names, tags and parents, then settle the lineage."""
    _record_aliases(entries, by)
    _record_tags(entries, by)
    _record_relations(entries, by)
    fresh = [entry.session for entry in entries if entry.is_new]
    settle_lineage(fresh, [entry.session for entry in entries], by.user)


def _record_aliases(entries: Sequence[Entry], by: Collector) -> None:
    SessionAlias.objects.bulk_create(
        [
            SessionAlias(collector=by.user, name=entry.part.record.alias, session=entry.session)
            for entry in entries
            if entry.part.record.alias
        ],
        ignore_conflicts=True,
    )


def _record_tags(entries: Sequence[Entry], by: Collector) -> None:
    defaults = [
        name.replace("${USER}", by.owner.get_username()) for name in settings.SESSIONS_DEFAULT_TAGS
    ]
    wanted = [
        (entry.session.pk, name)
        for entry in entries
        for name in [*entry.part.record.tags, *(defaults if entry.is_new else [])]
    ]
    if not wanted:
        return
    names = dict.fromkeys(name for _, name in wanted)
    Tag.objects.bulk_create([Tag(name=name) for name in names], ignore_conflicts=True)
    ids = dict(Tag.objects.filter(name__in=names).values_list("name", "pk"))
    SessionTag.objects.bulk_create(
        [SessionTag(session_id=session, tag_id=ids[name]) for session, name in wanted],
        ignore_conflicts=True,
    )


def _record_relations(entries: Sequence[Entry], by: Collector) -> None:
    told = [(entry.session, link) for entry in entries for link in entry.part.record.relations]
    told = [(child, link) for child, link in told if link.parent_identity != child.identity]
    if not told:
        return
    parents: dict[tuple[str, str], AgentSession] = {}
    for identities in in_groups(link.parent_identity for _, link in told):
        rows = AgentSession.objects.filter(collector=by.user, identity__in=identities)
        parents.update({(row.backend, row.identity): row for row in rows})
        named = SessionAlias.objects.filter(collector=by.user, name__in=identities)
        for alias in named.select_related("session"):
            parents[(alias.session.backend, alias.name)] = alias.session
    Relation.objects.bulk_create(
        [
            Relation(
                child=child,
                parent=parents.get((child.backend, link.parent_identity)),
                parent_identity=link.parent_identity[:400],
                kind=link.kind,
                call_id=link.call_id[:200],
            )
            for child, link in told
        ],
        ignore_conflicts=True,
    )


def merge_stub(stub: AgentSession, session: AgentSession) -> None:
    """Move what hangs on a session without messages to the session that it turned out to be."""
    known = session.tag_links.values("tag")
    stub.tag_links.exclude(tag__in=known).update(session=session)
    stub.aliases.update(session=session)
    RawFile.objects.filter(session=stub).update(session=session)
    Relation.objects.filter(parent=stub).exclude(child=session).update(parent=session)
    linked = SessionUsage.objects.filter(session=session).values("usage")
    stub.usage_links.exclude(usage__in=linked).update(session=session)
    stub.own_usage.update(session=session)
    stub.delete()
