"""Addresses and headings of the list: the state of the page is in its address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import QueryDict
from django.utils.translation import gettext as _

from sessions_app import figures
from sessions_app.queries.filters import FILTERS, ActiveFilter, values_of
from sessions_app.queries.lists import COUNT_CAP, DEFAULT_LIMIT, DEFAULT_SORT, SORTS, SessionPage

NAMES = (*(item.name for item in FILTERS), "tag_mode", "sort", "limit")


@dataclass(frozen=True, slots=True)
class Chip:
    label: str
    shown: str
    without: str  # the same list without this filter


@dataclass(frozen=True, slots=True)
class Addresses:
    here: str
    next: str
    previous: str
    first: str
    clear: str
    chips: list[Chip]
    range: str  # "51–100 of 1,000+"


@dataclass(frozen=True, slots=True)
class Column:
    label: str
    style: str
    url: str = ""
    direction: str = ""  # for aria-sort
    icon: str = ""


def stated(params: QueryDict) -> QueryDict:
    """What was asked for, without blanks, defaults and the cursor."""
    kept = QueryDict(mutable=True)
    for name in NAMES:
        values = values_of(params, name)
        if values and (name, values) not in (("sort", [DEFAULT_SORT]), ("kind", ["main"])):
            kept.setlist(name, values)
    return kept


def address(path: str, params: QueryDict, **changes: str | list[str] | None) -> str:
    changed = params.copy()
    for name, value in changes.items():
        if value:
            changed.setlist(name, [value] if isinstance(value, str) else value)
        else:
            changed.pop(name, None)
    query = changed.urlencode(safe=":/")
    return f"{path}?{query}" if query else path


def addresses(path: str, given: QueryDict, page: SessionPage) -> Addresses:
    params = stated(given)
    cursor = given.get("cursor") if page.position else None
    limit = None if page.limit == DEFAULT_LIMIT else str(page.limit)
    sort = None if page.sort == DEFAULT_SORT else page.sort
    return Addresses(
        here=address(path, params, cursor=cursor),
        next=address(path, params, cursor=page.next) if page.next else "",
        previous=address(path, params, cursor=page.previous) if page.previous else "",
        first=address(path, params) if page.position else "",
        clear=address(path, QueryDict(mutable=True), sort=sort, limit=limit),
        chips=[Chip(item.label, item.shown, _without(path, params, item)) for item in page.filters],
        range=_range(page),
    )


def _without(path: str, params: QueryDict, item: ActiveFilter) -> str:
    left = [value for value in params.getlist(item.name) if value != item.value]
    return address(path, params, **{item.name: left})


def _range(page: SessionPage) -> str:
    if not page.items:
        return _("No sessions")
    first, last = page.position + 1, page.position + len(page.items)
    total = f"{COUNT_CAP:,}+" if page.total_is_capped else figures.grouped(page.total)
    # Rows that came while somebody was turning pages make the first total too small.
    if not page.total_is_capped and last > page.total:
        total = figures.grouped(last)
    return _("%(first)s–%(last)s of %(total)s") % {
        "first": figures.grouped(first),
        "last": figures.grouped(last),
        "total": total,
    }


def columns(path: str, given: QueryDict, sort: str) -> list[Column]:
    params = stated(given)

    def sortable(name: str, style: str) -> Column:
        return _sortable(path, params, sort, name, style)

    return [
        Column(_("ID"), ""),
        Column(_("Status"), ""),
        Column(_("Title"), "title"),
        Column(_("Project"), "only-roomy"),
        Column(_("Owner"), "only-wide"),
        Column(_("Backend"), ""),
        sortable("tokens", "number"),
        sortable("cost", "number"),
        sortable("last_active", "number"),
    ]


def _sortable(path: str, params: QueryDict, sort: str, name: str, style: str) -> Column:
    """The first click sorts from the top down, the next one turns it over."""
    here = sort.lstrip("-") == name
    descending = here and sort.startswith("-")
    target = name if descending else f"-{name}"
    return Column(
        label=str(SORTS[name].label),
        style=style,
        url=address(path, params, sort=None if target == DEFAULT_SORT else target),
        direction=("descending" if descending else "ascending") if here else "",
        icon=("down" if descending else "up") if here else "",
    )


def sort_options() -> Iterator[tuple[str, str]]:
    """For the menu of orders."""
    for name, item in SORTS.items():
        yield f"-{name}", _("%(column)s, from the top") % {"column": item.label}
        yield name, _("%(column)s, from the bottom") % {"column": item.label}
