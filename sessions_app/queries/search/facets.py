"""How what was found is spread over backends, projects, people, models, statuses, tags, months."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from sessions_app.models import AgentSession, SessionTag

GROUP = 500
MOST = 8  # values of one facet


class Known(NamedTuple):
    """What the facets need of a session."""

    last_active: datetime
    backend: str
    project: str | None
    owner: str
    model: str
    status: str


class Value(NamedTuple):
    value: str
    sessions: int
    search: str  # what narrows the search to it


class Facet(NamedTuple):
    name: str
    values: list[Value]
    is_capped: bool


def known_of(sessions: Collection[int]) -> dict[int, Known]:
    ids = sorted(sessions)
    found: dict[int, Known] = {}
    names = ("last_active", "backend", "project__name", "owner__username", "model", "status")
    for start in range(0, len(ids), GROUP):
        rows = AgentSession.objects.filter(pk__in=ids[start : start + GROUP])
        for pk, *values in rows.values_list("pk", *names):
            found[pk] = Known(*values)
    return found


def facets_of(known: Mapping[int, Known], text: str, *, is_capped: bool) -> list[Facet]:
    """Sessions by value; what one value holds for all of them narrows nothing."""
    rows = known.values()
    columns: dict[str, Iterable[str | None]] = {
        "backend": (row.backend for row in rows),
        "project": (row.project for row in rows),
        "owner": (row.owner for row in rows),
        "model": (row.model for row in rows),
        "status": (row.status for row in rows),
        "tag": _tags(known),
    }
    facets = [_facet(name, Counter(filter(None, values)), text) for name, values in columns.items()]
    months = Counter(row.last_active.strftime("%Y-%m") for row in rows)
    facets.append(Facet("month", [_month(month, months[month], text) for month in
                                  sorted(months, reverse=True)[:MOST]], False))  # fmt: skip
    return [facet._replace(is_capped=is_capped) for facet in facets if facet.values]


def _tags(known: Mapping[int, Known]) -> list[str]:
    ids = sorted(known)
    found: list[str] = []
    for start in range(0, len(ids), GROUP):
        links = SessionTag.objects.filter(session__in=ids[start : start + GROUP])
        found += links.values_list("tag__name", flat=True)
    return found


def _facet(name: str, counted: Counter[str], text: str) -> Facet:
    values = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:MOST]
    return Facet(name, [Value(value, count, narrowed(text, name, value))
                        for value, count in values], False)  # fmt: skip


def narrowed(text: str, name: str, value: str) -> str:
    """The search `text` and one filter more."""
    plain = value.replace('"', "")
    quoted = f'"{plain}"' if not plain or any(c in plain for c in " ：:*“”") else plain
    return f"{text} {name}:{quoted}".strip()


def _month(month: str, count: int, text: str) -> Value:
    year, number = int(month[:4]), int(month[5:])
    last = datetime(year + number // 12, number % 12 + 1, 1).toordinal() - 1  # noqa: DTZ001 (a day)
    until = datetime.fromordinal(last).strftime("%Y-%m-%d")  # noqa: DTZ006 (a day)
    return Value(month, count, f"{text} since:{month}-01 until:{until}".strip())
