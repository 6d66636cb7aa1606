"""How what was found is spread over backends, projects, people, models, statuses, tags, months."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from sessions_app.models import AgentSession, Project, SessionTag, Tag, User
from sessions_app.queries.search.engines import as_moment, one_of, rows

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
    """Of sessions that may be seen; a thousand model instances would take half of the page."""
    session, project = AgentSession._meta.db_table, Project._meta.db_table
    chosen, params = one_of(sessions)
    found = rows(
        "SELECT s.id, s.last_active, s.backend, p.name, u.username, s.model, s.status"
        f' FROM "{session}" s JOIN "{User._meta.db_table}" u ON u.id = s.owner_id'
        f' LEFT JOIN "{project}" p ON p.id = s.project_id WHERE s.id {chosen}',
        params,
    )
    return {pk: Known(as_moment(last_active), *values) for pk, last_active, *values in found}


def facets_of(known: Mapping[int, Known], text: str, *, is_capped: bool) -> list[Facet]:
    """Sessions by value; what one value holds for all of them narrows nothing."""
    told = known.values()
    columns: dict[str, Iterable[str | None]] = {
        "backend": (row.backend for row in told),
        "project": (row.project for row in told),
        "owner": (row.owner for row in told),
        "model": (row.model for row in told),
        "status": (row.status for row in told),
        "tag": _tags(known),
    }
    facets = [_facet(name, Counter(filter(None, values)), text) for name, values in columns.items()]
    months = Counter(f"{at.year:04}-{at.month:02}" for at in (row.last_active for row in told))
    facets.append(Facet("month", [_month(month, months[month], text) for month in
                                  sorted(months, reverse=True)[:MOST]], False))  # fmt: skip
    return [facet._replace(is_capped=is_capped) for facet in facets if facet.values]


def _tags(known: Mapping[int, Known]) -> list[str]:
    chosen, params = one_of(known)
    link, tag = SessionTag._meta.db_table, Tag._meta.db_table
    found = rows(
        f'SELECT t.name FROM "{link}" l JOIN "{tag}" t ON t.id = l.tag_id'
        f" WHERE l.session_id {chosen}",
        params,
    )
    return [name for (name,) in found]


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
