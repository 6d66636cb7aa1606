"""The search page: what was found, by session; and the finder inside of one session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import push_url

from sessions_app import figures
from sessions_app.actions.searches import forget_search, save_search
from sessions_app.pages.markup.characters import one_line, prose
from sessions_app.pages.render import PageRequest, render_page, wants_fragment
from sessions_app.pages.transcript import OtherAddress, find
from sessions_app.pages.transcript_header import title_of
from sessions_app.queries.filters import FILTERS, names_of_filters, values_of
from sessions_app.queries.search import grammar
from sessions_app.queries.search.excerpts import Excerpt
from sessions_app.queries.search.facets import Facet, narrowed
from sessions_app.queries.search.hits import CAP, places
from sessions_app.queries.search.results import ORDERS, Hit, Result, Results, search
from sessions_app.queries.search.saved import projects_of, saved_searches

PAGE, RESULTS = "search/page.html", "search/_results.html"
WHERE = {
    "prompt": gettext_lazy("Prompt"), "answer": gettext_lazy("Answer"),
    "thinking": gettext_lazy("Thinking"), "tool output": gettext_lazy("Tool output"),
    "tool input": gettext_lazy("Tool input"), "session": gettext_lazy("About the session"),
    "injected": gettext_lazy("System message"), "command": gettext_lazy("Command"),
    "compaction": gettext_lazy("Summary"), "error": gettext_lazy("Error"),
    "note": gettext_lazy("Note"),
}  # fmt: skip
ORDER_NAMES = {"newest": gettext_lazy("Newest first"), "best": gettext_lazy("Best first")}
LABELS = {item.name: item.label for item in FILTERS} | {"month": gettext_lazy("Month")}


@dataclass(frozen=True, slots=True)
class Line:
    """One excerpt and where it leads."""

    where: str
    place: str
    url: str
    html: SafeString


@dataclass(frozen=True, slots=True)
class Card:
    """One session that was found."""

    url: str
    title: SafeString
    facts: list[str]
    moment: str
    exact: str
    lines: list[Line]
    more: str
    more_url: str


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    shown: str
    url: str
    current: bool = False


@require_safe
def search_page(request: PageRequest) -> HttpResponse:
    text = text_of(request.GET)
    order = request.GET.get("sort", "")
    order = order if order in ORDERS else ORDERS[0]
    results = search(request.user, text, order=order, cursor=request.GET.get("cursor", "")[:400])
    context = _context(request, text, results)
    if wants_fragment(request):
        return push_url(render_page(request, PAGE, RESULTS, context), request.get_full_path())
    context["saved"] = saved_searches(request.user)
    context["projects"] = projects_of(request.user)
    return render_page(request, PAGE, RESULTS, context)


def text_of(params: QueryDict) -> str:
    """What is searched for: the words, and filters that stand in the address on their own."""
    text = " ".join(params.getlist("q")).strip()
    for name in names_of_filters():
        for value in values_of(params, name):
            text = narrowed(text, name, value)
    return text


def address(text: str, **more: str) -> str:
    query = urlencode({"q": text, **{key: value for key, value in more.items() if value}})
    return f"{reverse('search')}?{query}"


def _context(request: PageRequest, text: str, results: Results) -> dict[str, Any]:
    order = "" if results.order == ORDERS[0] else results.order
    return {
        "text": text,
        "results": results,
        "cards": [_card(result, results, text) for result in results.items],
        "chips": [
            Link(str(LABELS.get(chip.label.lstrip("-"), chip.label)) if chip.label else "",
                 ("≠ " if chip.label.startswith("-") else "") + chip.shown,
                 address(chip.without, sort=order))
            for chip in results.asked.chips
        ],
        "facets": [(str(LABELS[facet.name]), _values(facet, order)) for facet in results.facets],
        "orders": [
            Link(str(label), "", address(text, sort="" if name == ORDERS[0] else name),
                 name == results.order)
            for name, label in ORDER_NAMES.items()
        ],
        "count": _count(results),
        "next": address(text, sort=order, cursor=results.next) if results.next else "",
        "first": address(text, sort=order) if request.GET.get("cursor") else "",
    }  # fmt: skip


def _values(facet: Facet, order: str) -> list[Link]:
    plus = "+" if facet.is_capped else ""
    return [
        Link(value.value, f"{value.sessions:,}{plus}", address(value.search, sort=order))
        for value in facet.values
    ]


def _count(results: Results) -> str:
    if not results.total:
        return ""
    total = f"{CAP:,}+" if results.is_capped else figures.grouped(results.total)
    sessions = figures.grouped(results.session_count) + ("+" if results.is_capped else "")
    return _("%(hits)s hits in %(sessions)s sessions") % {"hits": total, "sessions": sessions}


def _card(result: Result, results: Results, text: str) -> Card:
    session = result.session
    url = reverse("session_detail", args=[session.short_id])
    said = " ".join(_quoted(term) for term in results.asked.terms)
    lines = [_line(hit, url, said) for hit in result.hits]
    hidden = result.count - len(lines)
    facts = [session.backend, session.project.name if session.project else "", str(session.owner)]
    return Card(
        url=url,
        title=one_line(title_of(session), 200),
        facts=[fact for fact in facts if fact],
        moment=figures.ago(session.last_active, timezone.now()),
        exact=session.last_active.strftime("%Y-%m-%d %H:%M UTC"),
        lines=lines,
        more=_("%(count)s more in this session") % {"count": hidden} if hidden > 0 else "",
        more_url=f"{url}?{urlencode({'find': said})}",
    )


def _quoted(term: grammar.Term) -> str:
    words = " ".join(term.tokens)
    star = "*" if term.is_prefix else ""
    return f'"{words}"{star}' if len(term.tokens) > 1 else f"{words}{star}"


def _line(hit: Hit, url: str, said: str) -> Line:
    where = str(WHERE.get(hit.where, hit.where))
    if hit.seq is None:
        return Line(where, "", url, marked(hit.excerpt))
    query = urlencode({"at": hit.seq, "find": said, "system": 1})
    place = f"{hit.tool} · #{hit.seq}" if hit.tool else f"#{hit.seq}"
    return Line(where, place, f"{url}?{query}#m{hit.seq}", marked(hit.excerpt))


def marked(excerpt: Excerpt) -> SafeString:
    """The excerpt as HTML: every piece is escaped, every second one marked."""
    pieces = [str(prose(piece)) for piece in excerpt.pieces]
    pieces[1::2] = [f"<mark>{piece}</mark>" for piece in pieces[1::2]]
    return SafeString("".join(pieces))


@require_safe
def find_in_session(request: PageRequest, short_id: str) -> HttpResponse:
    """Where it is said in one session, folded and unloaded parts included: before and after."""
    try:
        session = find(request, short_id)
    except OtherAddress as other:
        return other.response
    text = request.GET.get("find", "")[: grammar.LONGEST]
    asked = grammar.read(text, ())
    found = list(dict.fromkeys(seq for seq, _ in places(asked, session))) if asked.groups else []
    here = request.GET.get("at", "")
    at = int(here) if here.isascii() and here.isdigit() and len(here) < 19 else 0
    base = reverse("session_detail", args=[session.short_id])
    before = [seq for seq in found if seq < at]
    after = [seq for seq in found if seq > at]
    context = {
        "base": base,
        "at": at or "",
        "text": text,
        "notes": asked.notes,
        "words": [list(term.tokens) for term in asked.terms],
        "position": found.index(at) + 1 if at in found else 0,
        "count": len(found),
        "previous": _place(base, before[-1] if before else found[-1], text) if found else "",
        "next": _place(base, after[0] if after else found[0], text) if found else "",
    }
    if not wants_fragment(request):
        return redirect(str(context["next"]) or base)
    return render(request, "search/_finder.html", context)


def _place(base: str, seq: int, text: str) -> str:
    return f"{base}?{urlencode({'at': seq, 'find': text, 'system': 1})}#m{seq}"


@require_POST
def keep_search(request: PageRequest) -> HttpResponse:
    """Save what is searched for under a name."""
    text, name = request.POST.get("q", "").strip(), request.POST.get("name", "").strip()
    if not text or not name or len(text) > grammar.LONGEST:
        raise Http404
    chosen = request.POST.get("project", "")
    project = projects_of(request.user).filter(pk=chosen).first() if chosen.isdigit() else None
    if chosen and project is None:
        raise Http404
    save_search(request.user, name, text, project=project, now=timezone.now())
    return redirect(address(text))


@require_POST
def drop_search(request: PageRequest, pk: int) -> HttpResponse:
    if not forget_search(request.user, pk):
        raise Http404
    return redirect("search")
