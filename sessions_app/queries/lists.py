"""Pages of sessions, by key: the work follows the page, not the archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Count, Exists, F, OuterRef, Prefetch, Q, QuerySet, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sessions_app.models import AgentSession, Relation, Tag, User
from sessions_app.models.session import SessionQuerySet
from sessions_app.queries.cursor import (
    BrokenCursor,
    Cursor,
    KeyValue,
    read_cursor,
    write_cursor,
)
from sessions_app.queries.filters import ActiveFilter, Asking, read_filters, values_of

COUNT_CAP = 1000
DEFAULT_SORT = "-last_active"
DEFAULT_LIMIT = 50
MOST = 200
# What a row of a list shows; the rest of a session is not read from the disk.
COLUMNS = (
    *("short_id", "name", "owner__username", "owner__first_name", "owner__last_name"),
    *("project__name", "project__key", "backend", "backend_session_id", "kind", "source"),
    *("status", "turn", "title", "prompt", "model", "work_dir", "host", "git_branch"),
    *("created_at", "last_active", "message_count", "total_tokens", "cost", "inherited_tokens"),
    *("unpriced_responses", "duration_seconds", "size_bytes", "is_sample", "is_protected"),
    *("current_task", "progress", "open_tool_calls", "total_steps"),
)


class Sort(NamedTuple):
    label: str | Promise
    key: Combinable
    kind: type[KeyValue]


SORTS: dict[str, Sort] = {
    "last_active": Sort(gettext_lazy("Last active"), F("last_active"), datetime),
    "created": Sort(gettext_lazy("Created"), F("created_at"), datetime),
    "tokens": Sort(gettext_lazy("Tokens"), F("total_tokens"), int),
    "cost": Sort(gettext_lazy("Cost"), F("cost"), Decimal),
    "messages": Sort(gettext_lazy("Messages"), F("message_count"), int),
    "duration": Sort(gettext_lazy("Duration"), Coalesce("duration_seconds", Value(0.0)), float),
    "size": Sort(gettext_lazy("Size"), F("size_bytes"), int),
}


@dataclass(slots=True)
class SessionPage:
    items: list[AgentSession]
    next: str | None = None
    previous: str | None = None
    filters: list[ActiveFilter] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    sort: str = DEFAULT_SORT
    limit: int = DEFAULT_LIMIT
    position: int = 0  # sessions before the first of the page
    total: int = 0

    @property
    def total_is_capped(self) -> bool:
        return self.total > COUNT_CAP


class Key(NamedTuple):
    pk: int
    value: KeyValue


def list_sessions(
    user: User,
    params: Mapping[str, Any],
    *,
    now: datetime | None = None,
    whole: bool = False,
) -> SessionPage:
    """The page that `params` ask for (names as in FILTERS, and sort, cursor, limit).

    A bad value adds a sentence to `errors`, and the rest still holds. `whole` reads every
    column instead of those that rows show.
    """
    errors: list[str] = []
    any_tag = _choice(params, "tag_mode", {"all": False, "any": True}, False, errors)
    asking = Asking(user, now or timezone.now(), any_tag)
    condition, active = read_filters(asking, params, errors)
    sort = _choice(params, "sort", _sort_names(), DEFAULT_SORT, errors)
    page = SessionPage([], filters=active, errors=errors, sort=sort, limit=_limit(params, errors))
    visible = AgentSession.objects.visible_to(user)
    keys = _keys(visible.filter(condition), page, _cursor(params, sort, errors))
    page.items = _rows(visible, [key.pk for key in keys], whole=whole)
    return page


def _choice(
    params: Mapping[str, Any], name: str, known: Mapping[str, Any], default: Any, errors: list[str]
) -> Any:
    values = values_of(params, name)
    if not values:
        return default
    if values[-1] in known:
        return known[values[-1]]
    errors.append(
        _("“%(name)s” is one of %(known)s, not “%(value)s”.")
        % {"name": name, "known": ", ".join(known), "value": values[-1]}
    )
    return default


def _sort_names() -> dict[str, str]:
    names = [f"{sign}{name}" for name in SORTS for sign in ("-", "")]
    return {name: name for name in names}


def _limit(params: Mapping[str, Any], errors: list[str]) -> int:
    values = values_of(params, "limit")
    if not values:
        return DEFAULT_LIMIT
    if values[-1].isascii() and values[-1].isdigit() and 1 <= int(values[-1]) <= MOST:
        return int(values[-1])
    errors.append(
        _("“limit” is a number from 1 to %(most)d, not “%(value)s”.")
        % {"most": MOST, "value": values[-1]}
    )
    return DEFAULT_LIMIT


def _cursor(params: Mapping[str, Any], sort: str, errors: list[str]) -> Cursor | None:
    values = values_of(params, "cursor")
    if not values:
        return None
    try:
        return read_cursor(values[-1], sort, SORTS[sort.lstrip("-")].kind)
    except BrokenCursor:
        errors.append(_("The link to that page of the list is broken; this is the first page."))
        return None


def _keys(sessions: SessionQuerySet, page: SessionPage, cursor: Cursor | None) -> list[Key]:
    """Ids and sort keys of the page; sets its place, its total and the ways on."""
    name, descending = page.sort.lstrip("-"), page.sort.startswith("-")
    sessions = sessions.annotate(sort_key=SORTS[name].key)
    if cursor is None:
        # One look serves the page and the capped count.
        found = _ordered(sessions, descending, COUNT_CAP + 1)
        page.total = len(found)
        keys, more_before, more_after = found[: page.limit], False, len(found) > page.limit
    else:
        descending_now = descending is not cursor.backwards
        beside = sessions.filter(_beyond(cursor, descending_now))
        found = _ordered(beside, descending_now, page.limit + 1)
        keys, more = found[: page.limit], len(found) > page.limit
        if cursor.backwards and len(keys) < page.limit:
            return _keys(sessions, page, None)
        keys = keys[::-1] if cursor.backwards else keys
        more_before, more_after = (more, True) if cursor.backwards else (True, more)
        page.position, page.total = cursor.position, cursor.total
    here = Cursor(page.sort, False, 0, 0, page.position + len(keys), page.total)
    if keys and more_after:
        page.next = write_cursor(here._replace(value=keys[-1].value, pk=keys[-1].pk))
    if keys and more_before:
        before = max(page.position - page.limit, 0)
        page.previous = write_cursor(
            Cursor(page.sort, True, keys[0].value, keys[0].pk, before, page.total)
        )
    return keys


def _ordered(sessions: QuerySet[AgentSession], descending: bool, count: int) -> list[Key]:
    order = ("-sort_key", "-pk") if descending else ("sort_key", "pk")
    return [Key(*row) for row in sessions.order_by(*order).values_list("pk", "sort_key")[:count]]


def _beyond(cursor: Cursor, descending: bool) -> Q:
    """Written so that the first half is a range of the index."""
    side = "lt" if descending else "gt"
    return Q(**{f"sort_key__{side}e": cursor.value}) & (
        Q(**{f"sort_key__{side}": cursor.value}) | Q(**{f"pk__{side}": cursor.pk})
    )


def _rows(visible: SessionQuerySet, ids: list[int], *, whole: bool) -> list[AgentSession]:
    """The sessions in the order of `ids`, with what a row shows beside its own columns."""
    if not ids:
        return []
    links = Relation.objects.order_by()
    subagents = links.filter(parent=OuterRef("pk"), kind=Relation.Kind.SUBAGENT).values("parent")
    sessions = (
        visible.filter(pk__in=ids)
        .select_related("owner", "project")
        .prefetch_related(Prefetch("tags", Tag.objects.only("name")))
        .annotate(
            is_fork=Exists(links.filter(child=OuterRef("pk"), kind=Relation.Kind.FORK)),
            subagent_count=Coalesce(Subquery(subagents.annotate(n=Count("pk")).values("n")), 0),
        )
    )
    found = {row.pk: row for row in (sessions if whole else sessions.only(*COLUMNS))}
    return [found[pk] for pk in ids if pk in found]
