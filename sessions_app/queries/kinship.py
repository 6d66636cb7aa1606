"""For a page of sessions: where each comes from and what came of it, in few queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Count

from sessions_app.models import AgentSession, Relation, SessionUsage
from sessions_app.queries.access import Person


@dataclass(slots=True)
class Descent:
    """What the visible relations say of one session."""

    parent_id: str | None = None
    forked_at_seq: int | None = None
    merged_from: list[str] = field(default_factory=list)
    subagents: int = 0


def descents(sessions: Sequence[AgentSession], viewer: Person) -> dict[int, Descent]:
    """By primary key; relatives that `viewer` may not see do not exist."""
    found = {session.pk: Descent() for session in sessions}
    visible = AgentSession.objects.visible_to(viewer).order_by()
    links = Relation.objects.filter(child__in=found, parent__in=visible)
    # A fork says more than the parent that a sub-agent has anyway: it is read last and stays.
    rows = links.order_by("-kind", "-pk").values_list(
        "child", "kind", "parent__short_id", "forked_at_seq"
    )
    for child, kind, parent_id, forked_at_seq in rows:
        _add(found[child], kind, str(parent_id), forked_at_seq)
    children = Relation.objects.filter(parent__in=found, child__in=visible)
    counts = children.filter(kind=Relation.Kind.SUBAGENT).values_list("parent")
    for parent, count in counts.annotate(Count("pk")).order_by():
        found[parent].subagents = count
    return found


def _add(descent: Descent, kind: str, parent_id: str, forked_at_seq: int | None) -> None:
    if kind == Relation.Kind.MERGE:
        descent.merged_from.insert(0, parent_id)
    elif kind in (Relation.Kind.FORK, Relation.Kind.SUBAGENT):
        descent.parent_id, descent.forked_at_seq = parent_id, forked_at_seq


def unpriced_models(sessions: Sequence[AgentSession]) -> dict[int, list[str]]:
    """By primary key: the models for whose responses no price is known, in order of name."""
    concerned = [session.pk for session in sessions if session.unpriced_responses]
    found: dict[int, list[str]] = {pk: [] for pk in concerned}
    if not concerned:
        return found
    rows = SessionUsage.objects.filter(session__in=concerned, usage__cost=None).order_by()
    for pk, model in sorted(rows.values_list("session", "usage__model").distinct()):
        found[pk].append(model)
    return found
