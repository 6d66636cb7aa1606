"""Make what is derived anew from what was recorded."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _
from rich.console import Console
from rich.progress import Progress

from sessions_app.actions.recount import recount
from sessions_app.actions.search_rebuild import differences, rebuild_search
from sessions_app.exports.session_json import usd
from sessions_app.ingest.rebuild import rebuild
from sessions_app.management import terminal

SHOWN = 20
Advance = Callable[[int], None]


@dataclass(slots=True)
class Answer:
    """What one part found, for programs and for people, and whether all was as it should be."""

    facts: dict[str, Any]
    lines: list[str]
    is_same: bool
    problems: list[dict[str, str]]


def parse(advance: Advance, *, check: bool) -> Answer:
    """Conversations, from the raw record."""
    seen = 0

    def progress(done: int, _total: int) -> None:
        nonlocal seen
        advance(done - seen)
        seen = done

    found = rebuild(check=check, progress=progress)
    problems = [{"path": item.path, "reason": item.reason} for item in found.problems]
    facts = {"files": found.files, "sessions": found.sessions, "changed": found.changed}
    words = {"sessions": found.sessions, "files": found.files, "changed": len(found.changed)}
    line = _("Parsed: %(sessions)d sessions of %(files)d files, %(changed)d differ.") % words
    return Answer(facts, [line, *found.changed[:SHOWN]], not found.changed, problems)


def usage(advance: Advance, *, check: bool) -> Answer:
    """Costs, sums of sessions and roll-ups, from the usage rows."""
    found = recount(check=check, progress=advance)
    facts = {
        "responses": found.responses,
        "sessions": found.sessions,
        "repriced": found.repriced,
        "sessions_changed": len(found.changed),
        "rollups_changed": len(found.rollups),
        "before": {"usd": usd(found.before), "unpriced": found.unpriced_before},
        "after": {"usd": usd(found.after), "unpriced": found.unpriced_after},
    }
    words = {**facts, "before": usd(found.before), "after": usd(found.after)}
    lines = [
        _(
            "Usage: %(repriced)d of %(responses)d responses cost something else,"
            " %(sessions_changed)d of %(sessions)d sessions differ."
        )
        % words,
        _("Total: $%(before)s before, $%(after)s after.") % words,
    ]
    if found.unpriced_before or found.unpriced_after:
        words = {"before": found.unpriced_before, "after": found.unpriced_after}
        lines.append(_("Responses without a price: %(before)d before, %(after)d after.") % words)
    return Answer(facts, lines, found.is_unchanged, [])


def search(advance: Advance, *, check: bool) -> Answer:
    """The search index, from messages, calls and what is said of sessions."""
    if check:
        found = differences()
        return Answer({"differences": found}, found or [_("Search: equal.")], not found, [])
    seen = 0

    def progress(done: int, _total: int) -> None:
        nonlocal seen
        advance(done - seen)
        seen = done

    rows = rebuild_search(progress)
    line = _("Search: %(rows)d rows indexed.") % {"rows": rows}
    return Answer({"rows": rows}, [line], True, [])


# In the order in which one builds on the other.
PARTS: dict[str, tuple[Callable[..., Answer], str]] = {
    "parse": (parse, "conversations, from the raw record"),
    "usage": (usage, "costs, sums and roll-ups, from the usage rows"),
    "search": (search, "the search index, from messages and tool calls"),
}


class Command(BaseCommand):
    """See `help`."""

    help = "Make what is derived anew from what was recorded; without options all of it."

    def add_arguments(self, parser: CommandParser) -> None:
        for name, (_part, words) in PARTS.items():
            parser.add_argument(f"--{name}", action="store_true", help=words)
        parser.add_argument(
            "--check", action="store_true", help="write nothing; exit 1 if anything would differ"
        )
        parser.add_argument("--json", action="store_true", help="facts for programs")
        parser.add_argument("--strict", action="store_true", help="exit 1 if anything was skipped")

    def handle(self, *, check: bool, json: bool, strict: bool, **options: Any) -> None:
        chosen = [name for name in PARTS if options[name]] or list(PARTS)
        show = not json and sys.stderr.isatty()
        answers: dict[str, Answer] = {}
        with Progress(console=Console(stderr=True), transient=True, disable=not show) as bar:
            for name in chosen:
                task = bar.add_task(name, total=None)
                answers[name] = PARTS[name][0](
                    lambda count, task=task: bar.advance(task, count), check=check
                )
        self._print(answers, check=check, json=json)
        differs = check and not all(answer.is_same for answer in answers.values())
        if differs or (strict and any(answer.problems for answer in answers.values())):
            sys.exit(1)

    def _print(self, answers: dict[str, Answer], *, check: bool, json: bool) -> None:
        problems = [problem for answer in answers.values() for problem in answer.problems]
        if json:
            facts = {name: answer.facts for name, answer in answers.items()}
            self.stdout.write(terminal.as_json({"check": check, **facts, "problems": problems}))
            return
        for answer in answers.values():
            for line in answer.lines:
                self.stdout.write(line)
        for problem in problems[:SHOWN]:
            told = {name: terminal.one_line(words) for name, words in problem.items()}
            self.stdout.write(_("  left out %(path)s: %(reason)s") % told)
        if check:
            self.stdout.write(_("Nothing was written."))
