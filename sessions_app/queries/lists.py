"""Pages of sessions, by key: the work follows the page, not the archive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import F, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sessions_app.models import AgentSession, User
from sessions_app.models.session import SessionQuerySet
from sessions_app.queries.cursor import (
    BrokenCursor,
    Cursor,
    KeyValue,
    read_cursor,
    write_cursor,
)
from sessions_app.queries.filters import ActiveFilter, Asking, read_filters, values_of
from sessions_app.queries.listed import Listed, read_rows

COUNT_CAP = 1000
DEFAULT_SORT = "-last_active"
DEFAULT_LIMIT = 50
MOST = 200


class Sort(NamedTuple):
    label: str | Promise
    key: Combinable
    kind: type[KeyValue]
    value: Callable[[AgentSession], KeyValue]


SORTS: dict[str, Sort] = {
    "last_active": Sort(
        gettext_lazy("Last active"), F("last_active"), datetime, lambda row: row.last_active
    ),
    "created": Sort(gettext_lazy("Created"), F("created_at"), datetime, lambda row: row.created_at),
    "tokens": Sort(gettext_lazy("Tokens"), F("total_tokens"), int, lambda row: row.total_tokens),
    "cost": Sort(gettext_lazy("Cost"), F("cost"), Decimal, lambda row: row.cost),
    "messages": Sort(
        gettext_lazy("Messages"), F("message_count"), int, lambda row: row.message_count
    ),
    "duration": Sort(
        gettext_lazy("Duration"),
        Coalesce("duration_seconds", Value(0.0)),
        float,
        lambda row: row.duration_seconds or 0.0,
    ),
    "size": Sort(gettext_lazy("Size"), F("size_bytes"), int, lambda row: row.size_bytes),
}


@dataclass(slots=True)
class SessionPage:
    rows: list[Listed] = field(default_factory=list)
    next: str | None = None
    previous: str | None = None
    filters: list[ActiveFilter] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    sort: str = DEFAULT_SORT
    limit: int = DEFAULT_LIMIT
    position: int = 0  # sessions before the first of the page
    total: int = 0

    @property
    def items(self) -> list[AgentSession]:
        return [row.session for row in self.rows]

    @property
    def total_is_capped(self) -> bool:
        return self.total > COUNT_CAP


def list_sessions(
    user: User,
    params: Mapping[str, Any],
    *,
    now: datetime | None = None,
    whole: bool = False,
    among: SessionQuerySet | None = None,
) -> SessionPage:
    """The page that `params` ask for (names as in FILTERS, and sort, cursor, limit).

    A bad value adds a sentence to `errors`, and the rest still holds. `whole` reads every
    column instead of those that rows show; `among` holds it to these sessions.
    """
    errors: list[str] = []
    any_tag = _choice(params, "tag_mode", {"all": False, "any": True}, False, errors)
    asking = Asking(user, now or timezone.now(), any_tag)
    condition, active = read_filters(asking, params, errors)
    sort = _choice(params, "sort", _sort_names(), DEFAULT_SORT, errors)
    page = SessionPage(filters=active, errors=errors, sort=sort, limit=_limit(params, errors))
    visible = (AgentSession.objects.all() if among is None else among).visible_to(user)
    _fill(page, visible, condition, _cursor(params, sort, errors), whole=whole)
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


def _fill(
    page: SessionPage, visible: SessionQuerySet, condition: Q, cursor: Cursor | None, *, whole: bool
) -> None:
    """The rows of the page, its place, its total and the ways on."""
    name, descending = page.sort.lstrip("-"), page.sort.startswith("-")
    sessions = visible.filter(condition).annotate(sort_key=SORTS[name].key)
    if cursor is None:
        # One look serves the page and the capped count.
        found = _ordered(sessions, descending, COUNT_CAP + 1)
        page.total, more_before = len(found), False
    else:
        going_down = descending is not cursor.backwards
        found = _ordered(sessions.filter(_beyond(cursor, going_down)), going_down, page.limit + 1)
        if cursor.backwards and len(found) < page.limit:
            _fill(page, visible, condition, None, whole=whole)
            return
        page.position, page.total, more_before = cursor.position, cursor.total, True
    more, ids = len(found) > page.limit, found[: page.limit]
    more_after = more
    if cursor is not None and cursor.backwards:
        ids, more_before, more_after = ids[::-1], more, True
    page.rows = read_rows(ids, whole=whole)
    _set_ways_on(page, before=more_before, after=more_after)


def _ordered(sessions: QuerySet[AgentSession], descending: bool, count: int) -> list[int]:
    order = ("-sort_key", "-pk") if descending else ("sort_key", "pk")
    return list(sessions.order_by(*order).values_list("pk", flat=True)[:count])


def _beyond(cursor: Cursor, descending: bool) -> Q:
    """Written so that the first half is a range of the index."""
    side = "lt" if descending else "gt"
    return Q(**{f"sort_key__{side}e": cursor.value}) & (
        Q(**{f"sort_key__{side}": cursor.value}) | Q(**{f"pk__{side}": cursor.pk})
    )


def _set_ways_on(page: SessionPage, *, before: bool, after: bool) -> None:
    if before and page.rows:
        position = max(page.position - page.limit, 0)
        page.previous = _cursor_at(page, page.rows[0].session, position, backwards=True)
    if after and page.rows:
        position = page.position + len(page.rows)
        page.next = _cursor_at(page, page.rows[-1].session, position, backwards=False)


def _cursor_at(page: SessionPage, row: AgentSession, position: int, *, backwards: bool) -> str:
    value = SORTS[page.sort.lstrip("-")].value(row)
    return write_cursor(Cursor(page.sort, backwards, value, row.pk, position, page.total))
