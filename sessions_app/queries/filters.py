"""The filters of session lists: one table, the same on pages, commands and the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from sessions_app.border import clean_text
from sessions_app.models import (
    AgentSession,
    Artifact,
    Project,
    Relation,
    SessionTag,
    Snapshot,
    User,
)
from sessions_app.queries.access import ID_LENGTH, SHORTEST_PREFIX
from sessions_app.queries.moments import BadValue, moment
from sessions_app.queries.search import grammar
from sessions_app.queries.search.hits import mentions

LONGEST_VALUE = 200
YES = {"1", "true", "yes", "on"}
NO = {"0", "false", "no", "off"}
KINDS = {
    "main": gettext_lazy("main sessions"),
    "subagent": gettext_lazy("sub-agents"),
    "all": gettext_lazy("main sessions and sub-agents"),
}


# Not "kind is main": SQLite would take the index of kinds, and read the whole archive for
# a filter that has an index of its own.
MAIN = ~Q(kind=AgentSession.Kind.SUBAGENT)


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, when, and with which other parameters."""

    user: User
    now: datetime
    any_tag: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    name: str
    label: str | Promise
    build: Callable[[Asking, list[str]], Q]
    words: Mapping[str, str | Promise] | None = None  # how values are shown


@dataclass(frozen=True, slots=True)
class ActiveFilter:
    """One value of one filter that is in force."""

    name: str
    value: str
    label: str
    shown: str


def _words(asking: Asking, values: list[str]) -> Q:
    """What the search page understands; also ids, and any part of what stands in the list."""
    text = values[-1]
    asked = grammar.read(text, names_of_filters())
    named: dict[tuple[str, bool], list[str]] = {}
    for item in asked.filters:
        named.setdefault((item.name, item.is_not), []).append(item.value)
    condition = Q()
    for (name, is_not), wanted in named.items():
        for group in [[one] for one in wanted] if is_not else [wanted]:
            one = read_condition(asking, name, group)
            condition &= ~one if is_not else one
    if named:
        return condition & mentions(asked) if asked.has_words else condition
    found = _plain_words(text)
    return found | mentions(asked) if asked.has_words else found


def _plain_words(text: str) -> Q:
    found = Q(backend_session_id__startswith=text)
    for form in _case_forms(text):
        found |= Q(title__icontains=form)
        found |= Q(prompt__icontains=form)
        found |= Q(description__icontains=form)
    prefix = text.lower()
    if prefix.isascii() and prefix.isalnum() and SHORTEST_PREFIX <= len(prefix) <= ID_LENGTH:
        found |= Q(short_id__gte=prefix, short_id__lte=prefix.ljust(ID_LENGTH, "z"))
    return found


def _case_forms(text: str) -> set[str]:
    """SQLite folds only ASCII: other letters are asked for in each of their usual forms."""
    if text.isascii():
        return {text}
    return {text, text.lower(), text.upper(), text.title(), text.capitalize()}


def _backend(asking: Asking, values: list[str]) -> Q:
    return Q(backend__in=values)


def _status(asking: Asking, values: list[str]) -> Q:
    known = AgentSession.Status.values
    for value in values:
        if value not in known:
            raise BadValue(
                _("“%(value)s” is no status. Known: %(known)s.")
                % {"value": value, "known": ", ".join(known)}
            )
    return Q(status__in=values)


def _tag(asking: Asking, values: list[str]) -> Q:
    found = Q()
    for value in values:
        has = Q(Exists(SessionTag.objects.filter(session=OuterRef("pk"), tag__name=value)))
        found = found | has if asking.any_tag else found & has
    return found


def _project(asking: Asking, values: list[str]) -> Q:
    """By name or key: two repositories called `api` are told apart by their key."""
    return Q(project__in=Project.objects.filter(Q(name__in=values) | Q(key__in=values)))


def _owner(asking: Asking, values: list[str]) -> Q:
    found = Q(owner__username__in=values)
    return found | Q(owner=asking.user) if "me" in values else found


def _model(asking: Asking, values: list[str]) -> Q:
    return Q(model__istartswith=values[-1])


def _work_dir(asking: Asking, values: list[str]) -> Q:
    """The folder itself and everything below it."""
    folder = values[-1].rstrip("/") or "/"
    return Q(work_dir=folder) | Q(work_dir__startswith=folder.rstrip("/") + "/")


def _host(asking: Asking, values: list[str]) -> Q:
    return Q(host__iexact=values[-1])


def _resumable(asking: Asking, values: list[str]) -> Q:
    answer = values[-1].lower()
    if answer not in YES | NO:
        raise BadValue(_("“resumable” is yes or no, not “%(value)s”.") % {"value": values[-1]})
    resumable = Q(kind=AgentSession.Kind.MAIN) & ~Q(backend_session_id="")
    return resumable if answer in YES else ~resumable


def _kind(asking: Asking, values: list[str]) -> Q:
    if values[-1] not in KINDS:
        known = ", ".join(KINDS)
        raise BadValue(
            _("“%(value)s” is no kind. Known: %(known)s.") % {"value": values[-1], "known": known}
        )
    return Q() if values[-1] == "all" else Q(kind=values[-1])


def _since(asking: Asking, values: list[str]) -> Q:
    return Q(last_active__gte=moment(values[-1], asking.now))


def _until(asking: Asking, values: list[str]) -> Q:
    return Q(last_active__lt=moment(values[-1], asking.now, end_of_day=True))


HAS: dict[str, tuple[str | Promise, Callable[[], Q]]] = {
    "error": (
        gettext_lazy("an error"),
        lambda: Q(tool_errors__gt=0) | Q(status=AgentSession.Status.ERROR),
    ),
    "artifact": (gettext_lazy("an artifact"), lambda: _exists(Artifact.objects, "session")),
    "snapshot": (gettext_lazy("a snapshot"), lambda: _exists(Snapshot.objects, "session")),
    "fork": (
        pgettext_lazy("a session has", "a fork"),
        lambda: (
            _exists(Relation.objects.filter(kind=Relation.Kind.FORK), "child")
            | _exists(Relation.objects.filter(kind=Relation.Kind.FORK), "parent")
        ),
    ),
}


def _exists(rows: Any, column: str) -> Q:
    return Q(Exists(rows.filter(**{column: OuterRef("pk")})))


def _has(asking: Asking, values: list[str]) -> Q:
    found = Q()
    for value in values:
        if value not in HAS:
            raise BadValue(
                _("“has” knows %(known)s, not “%(value)s”.")
                % {"value": value, "known": ", ".join(HAS)}
            )
        found &= HAS[value][1]()
    return found


FILTERS: tuple[Filter, ...] = (
    Filter("q", gettext_lazy("Search"), _words),
    Filter("status", gettext_lazy("Status"), _status, dict(AgentSession.Status.choices)),
    Filter("backend", gettext_lazy("Backend"), _backend),
    Filter("project", gettext_lazy("Project"), _project),
    Filter("owner", gettext_lazy("Owner"), _owner, {"me": gettext_lazy("me")}),
    Filter("tag", gettext_lazy("Tag"), _tag),
    Filter("model", gettext_lazy("Model"), _model),
    Filter("workdir", gettext_lazy("Folder"), _work_dir),
    Filter("host", gettext_lazy("Machine"), _host),
    Filter(
        "resumable",
        gettext_lazy("Resumable"),
        _resumable,
        {"1": gettext_lazy("yes"), "0": gettext_lazy("no")},
    ),
    Filter("kind", gettext_lazy("Kind"), _kind, KINDS),
    Filter("since", gettext_lazy("Since"), _since),
    Filter("until", gettext_lazy("Until"), _until),
    Filter("has", gettext_lazy("Has"), _has, {name: label for name, (label, _q) in HAS.items()}),
)


def names_of_filters() -> tuple[str, ...]:
    """Those that may stand in a search box."""
    return tuple(item.name for item in FILTERS if item.name != "q")


def read_condition(asking: Asking, name: str, values: list[str]) -> Q:
    """The condition of one filter. Raises BadValue."""
    build = next(item.build for item in FILTERS if item.name == name)
    return build(asking, [clean_text(value)[:LONGEST_VALUE] for value in values])


def values_of(params: Mapping[str, Any], name: str) -> list[str]:
    """What was given for `name`, without blanks: from a QueryDict or from a plain dict."""
    given = params.getlist(name) if hasattr(params, "getlist") else params.get(name)
    found = given if isinstance(given, list | tuple) else [] if given is None else [given]
    cleaned = (clean_text(str(value)).strip()[:LONGEST_VALUE] for value in found)
    return list(dict.fromkeys(value for value in cleaned if value))


def read_filters(
    asking: Asking, params: Mapping[str, Any], errors: list[str]
) -> tuple[Q, list[ActiveFilter]]:
    """The condition, and what is in force; a bad value adds a sentence and filters nothing."""
    condition, active = Q(), []
    for item in FILTERS:
        values = values_of(params, item.name)
        if not values:
            if item.name == "kind":
                condition &= MAIN
            continue
        try:
            condition &= item.build(asking, values)
        except BadValue as error:
            errors.append(str(error))
            continue
        words = item.words or {}
        active += [
            ActiveFilter(item.name, value, str(item.label), str(words.get(value, value)))
            for value in values
        ]
    return condition, active
