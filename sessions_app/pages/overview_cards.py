"""The cards of the overview, computed from what the queries found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from sessions_app import figures
from sessions_app.models import AgentSession, User
from sessions_app.pages.resume import resume
from sessions_app.pages.session_rows import Row, rows
from sessions_app.queries.listed import Listed
from sessions_app.queries.overview import Spend

BAR_WIDTH = 10  # of a day; the drawing is stretched to the width of its place
BAR_GAP = 3
CHART_HEIGHT = 96
LEAST_BAR = 3  # so that a quiet day can still be told from an empty one


@dataclass(frozen=True, slots=True)
class Unfinished:
    row: Row
    evidence: list[str]
    percent: int | None
    command: str  # empty when there is none
    owner: str  # when it is somebody else's


@dataclass(frozen=True, slots=True)
class Proceed:
    row: Row
    command: str


@dataclass(frozen=True, slots=True)
class Bar:
    x: int
    y: int
    height: int
    title: str
    is_empty: bool
    responses: str
    tokens: str
    cost: str
    day: str


@dataclass(frozen=True, slots=True)
class Chart:
    bars: list[Bar]
    width: int
    height: int
    bar_width: int
    summary: str
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Figure:
    label: str
    value: str
    title: str
    note: str


@dataclass(frozen=True, slots=True)
class StatusCount:
    status: str
    label: str
    count: str
    url: str


def unfinished(found: list[Listed], reader: User, now: datetime) -> list[Unfinished]:
    shown = zip(found, rows(found, now), strict=True)
    return [_unfinished(item.session, row, reader) for item, row in shown]


def _unfinished(session: AgentSession, row: Row, reader: User) -> Unfinished:
    # A teammate's files are on another machine: there the command would find nothing.
    is_mine = session.owner_id == reader.pk
    progress = session.progress
    return Unfinished(
        row,
        _evidence(session),
        None if progress is None else round(min(max(progress, 0), 1) * 100),
        resume(session).command if is_mine else "",
        "" if is_mine else row.owner,
    )


def _evidence(session: AgentSession) -> list[str]:
    """Why we think that it stopped, and where."""
    found = []
    if session.current_task:
        found.append(session.current_task)
    if session.open_tool_calls:
        count = session.open_tool_calls
        text = ngettext(
            "%(count)d tool call without a result", "%(count)d tool calls without a result", count
        )
        found.append(text % {"count": count})
    elif session.turn == "open":
        found.append(_("the last turn never ended"))
    if session.standing_error:
        found.append(session.standing_error[:200])
    return found


def proceed(found: Listed | None, now: datetime) -> Proceed | None:
    command = resume(found.session).command if found else ""
    return Proceed(rows([found], now)[0], command) if found and command else None


def chart(days: dict[date, Spend]) -> Chart:
    most = max((spend.responses for spend in days.values()), default=0)
    bars = [_bar(index, day, spend, most) for index, (day, spend) in enumerate(days.items())]
    total = sum(spend.responses for spend in days.values())
    summary = ngettext(
        "%(count)s response in the last %(days)d days",
        "%(count)s responses in the last %(days)d days",
        total,
    )
    return Chart(
        bars=bars,
        width=len(bars) * BAR_WIDTH - BAR_GAP,
        height=CHART_HEIGHT,
        bar_width=BAR_WIDTH - BAR_GAP,
        summary=summary % {"count": figures.grouped(total), "days": len(bars)},
        first=bars[0].day if bars else "",
        last=bars[-1].day if bars else "",
    )


def _bar(index: int, day: date, spend: Spend, most: int) -> Bar:
    height = LEAST_BAR
    if spend.responses:
        height = max(round(spend.responses / most * CHART_HEIGHT), LEAST_BAR + 2)
    name = date_format(day, pgettext("date format of a day in this year", "j M"))
    responses = figures.grouped(spend.responses)
    tokens = figures.short(spend.tokens)
    money = figures.cost(spend.cost, unpriced=spend.unpriced, tokens=spend.tokens).text
    title = _("%(day)s: responses %(responses)s, tokens %(tokens)s, cost %(cost)s")
    parts = {"day": name, "responses": responses, "tokens": tokens, "cost": money}
    return Bar(
        index * BAR_WIDTH,
        CHART_HEIGHT - height,
        height,
        title % parts,
        not spend.responses,
        responses,
        tokens,
        money,
        name,
    )


def figures_of_month(month: Spend, today: date) -> list[Figure]:
    name = date_format(today, pgettext("date format of a month", "F Y"))
    cost = figures.cost(month.cost, unpriced=month.unpriced, tokens=month.tokens)
    return [
        Figure(_("Spend in %(month)s") % {"month": name}, cost.text, cost.title, _sources(month)),
        Figure(
            _("Tokens in %(month)s") % {"month": name},
            figures.short(month.tokens),
            figures.grouped(month.tokens),
            _token_parts(month),
        ),
    ]


def _token_parts(month: Spend) -> str:
    responses = ngettext("%(count)s response", "%(count)s responses", month.responses)
    parts = _("input %(input)s, output %(output)s, cache %(cache)s") % {
        "input": figures.short(month.input),
        "output": figures.short(month.output),
        "cache": figures.short(month.cache),
    }
    return responses % {"count": figures.grouped(month.responses)} + " · " + parts


def _sources(month: Spend) -> str:
    if not month.responses:
        return _("Nothing was used yet")
    if not month.cost:
        return _("No price is known for what was used")
    parts = _("%(estimated)s estimated, %(recorded)s recorded by the agents") % {
        "estimated": figures.dollars(month.estimated),
        "recorded": figures.dollars(month.recorded),
    }
    if not month.unpriced:
        return parts
    missing = ngettext(
        "At least: %(count)s response has no price.",
        "At least: %(count)s responses have no price.",
        month.unpriced,
    )
    return missing % {"count": figures.grouped(month.unpriced)} + " " + parts


def statuses(by_status: dict[str, int]) -> list[StatusCount]:
    base = reverse("session_list")
    return [
        StatusCount(value, str(label), figures.grouped(count), f"{base}?status={value}")
        for value, label in AgentSession.Status.choices
        if (count := by_status.get(value, 0))
    ]
