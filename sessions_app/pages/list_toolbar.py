"""The filters above the list: menus of what one may choose from, and fields."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from sessions_app.agents import AGENTS
from sessions_app.models import AgentSession
from sessions_app.pages.list_view import sort_options
from sessions_app.queries.choices import CHOICES, Choice
from sessions_app.queries.filters import FILTERS, HAS, KINDS, values_of
from sessions_app.queries.lists import DEFAULT_LIMIT, DEFAULT_SORT, SessionPage

LIMITS = (25, 50, 100)
LABELS = {item.name: item.label for item in FILTERS}


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Menu:
    name: str
    label: str
    options: list[Option]
    url: str  # where the choices come from when it opens; empty when all are here
    takes_any: bool  # has a field for what is not listed


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    label: str
    value: str
    hint: str


@dataclass(frozen=True, slots=True)
class Select:
    name: str
    label: str
    options: list[Option]
    narrows: bool = True  # a filter, not an order


@dataclass(frozen=True, slots=True)
class Toolbar:
    q: str
    menus: list[Menu]
    selects: list[Select]
    fields: list[Field]


def toolbar(params: QueryDict, page: SessionPage) -> Toolbar:
    return Toolbar(
        q="".join(values_of(params, "q")[-1:]),
        menus=[menu(name, params) for name in ("status", "backend", "project", "owner", "tag")],
        selects=_selects(params, page),
        fields=_fields(params),
    )


def menu(name: str, params: QueryDict, choices: list[Choice] | None = None) -> Menu:
    """Without `choices` it holds what is chosen, until it opens and asks for the rest."""
    chosen = values_of(params, name)
    listed = _known(name) if choices is None else choices
    known = {choice.value for choice in listed}
    listed = [Choice(value, value) for value in chosen if value not in known] + listed
    return Menu(
        name,
        str(LABELS[name]),
        [Option(value, text, value in chosen) for value, text in listed],
        reverse("session_choices", args=[name]) if name in CHOICES and choices is None else "",
        takes_any=name != "status",
    )


def _known(name: str) -> list[Choice]:
    if name == "status":
        return [Choice(value, str(label)) for value, label in AgentSession.Status.choices]
    if name == "backend":
        names = sorted({backend for agent in AGENTS for backend in agent.backends})
        return [Choice(backend, backend) for backend in names]
    return []


def _selects(params: QueryDict, page: SessionPage) -> list[Select]:
    limits = [(str(limit), str(limit)) for limit in sorted({*LIMITS, page.limit})]
    yes_no = [("", _("any")), ("1", _("yes")), ("0", _("no"))]
    has = [("", _("anything")), *((name, label) for name, (label, _build) in HAS.items())]
    any_all = [("", _("all of them")), ("any", _("any of them"))]
    return [
        _select("kind", _("Kind"), KINDS.items(), params, "main"),
        _select("resumable", _("Resumable"), yes_no, params),
        _select("has", _("Has"), has, params),
        _select("tag_mode", _("Tags"), any_all, params, narrows=False),
        _select("sort", _("Order"), sort_options(), params, DEFAULT_SORT, narrows=False),
        _select("limit", _("Rows"), limits, params, str(DEFAULT_LIMIT), narrows=False),
    ]


def _select(
    name: str,
    label: str,
    options: Iterable[tuple[str, object]],
    params: QueryDict,
    default: str = "",
    *,
    narrows: bool = True,
) -> Select:
    """The default has no value, so that it stays out of the address."""
    chosen = "".join(values_of(params, name)[-1:]) or default
    shown = [
        Option("" if value == default else value, str(text), value == chosen)
        for value, text in options
    ]
    return Select(name, label, shown, narrows)


def _fields(params: QueryDict) -> list[Field]:
    day = _("2026-11-21 or 30d")
    named = [
        ("since", _("Since"), day),
        ("until", _("Until"), day),
        ("model", _("Model"), _("starts with")),
        ("workdir", _("Folder"), _("this one and below")),
        ("host", _("Machine"), " "),
    ]
    return [
        Field(name, label, "".join(values_of(params, name)[-1:]), hint)
        for name, label, hint in named
    ]
