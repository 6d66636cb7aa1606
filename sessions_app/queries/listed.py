"""Rows of lists: sessions, and what is shown beside their own columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from django.db.models import F, Value

from sessions_app.models import AgentSession, Relation, SessionTag

# What a row shows; the rest of a session is not read from the disk.
COLUMNS = (
    *("short_id", "name", "owner_id", "project_id", "backend", "backend_session_id", "kind"),
    *("source", "status", "turn", "title", "prompt", "model", "work_dir", "host", "git_branch"),
    *("created_at", "last_active", "message_count", "total_tokens", "cost", "inherited_tokens"),
    *("unpriced_responses", "duration_seconds", "size_bytes", "is_sample", "is_protected"),
    *("current_task", "progress", "open_tool_calls", "total_steps", "error"),
)


TAG = "tag"


class Listed(NamedTuple):
    session: AgentSession
    owner: str
    project: str
    tags: list[str]
    is_fork: bool
    subagents: int


def read_rows(ids: Sequence[int], *, whole: bool = False) -> list[Listed]:
    """The sessions with these primary keys, in their order, in two queries.

    Whoever asks has made sure that they may be seen. `whole` reads every column.
    """
    if not ids:
        return []
    sessions = AgentSession.objects.filter(pk__in=ids)
    # Names by annotation: a model instance for each owner and project would double the time.
    rows = sessions.annotate(
        owner_login=F("owner__username"),
        owner_first=F("owner__first_name"),
        owner_last=F("owner__last_name"),
        project_name=F("project__name"),
    )
    if not whole:
        rows = rows.only(*COLUMNS)
    marks = _marks(ids)
    found = {row.pk: _listed(row, vars(row), marks[row.pk]) for row in rows}
    return [found[pk] for pk in ids if pk in found]


def _listed(row: AgentSession, annotations: dict[str, Any], marks: list[tuple[str, str]]) -> Listed:
    full_name = f"{annotations['owner_first']} {annotations['owner_last']}".strip()
    return Listed(
        row,
        full_name or annotations["owner_login"],
        annotations["project_name"] or "",
        [name for kind, name in marks if kind == TAG],
        (Relation.Kind.FORK, "") in marks,
        marks.count((Relation.Kind.SUBAGENT, "")),
    )


def _marks(ids: Collection[int]) -> defaultdict[int, list[tuple[str, str]]]:
    """By session: its tags, and links as the child of a fork and as the parent of sub-agents."""
    tags = SessionTag.objects.filter(session__in=ids).order_by()
    forks = Relation.objects.filter(child__in=ids, kind=Relation.Kind.FORK)
    subagents = Relation.objects.filter(parent__in=ids, kind=Relation.Kind.SUBAGENT)
    nothing, kind = Value(""), Value(TAG)
    rows = tags.values_list("session_id", kind, "tag__name").union(
        forks.values_list("child_id", "kind", nothing),
        subagents.values_list("parent_id", "kind", nothing),
        all=True,
    )
    found: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for pk, what, name in sorted(rows):
        found[pk].append((what, name))
    return found
