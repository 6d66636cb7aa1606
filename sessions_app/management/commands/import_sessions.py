"""Take archives in: zips of `export_sessions`, and session folders that others have packed."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from sessions_app.actions.refusals import Refused
from sessions_app.exports.archive import content_digest
from sessions_app.ingest.archive.load import Imported, Wish, load_archive
from sessions_app.ingest.archive.staged import stage_archive
from sessions_app.management import terminal
from sessions_app.management.people import owner_named, project_named

SHOWN = 20


@dataclass(slots=True)
class Taken:
    """What came in, and what could not be taken."""

    sessions: list[Imported] = field(default_factory=list)
    problems: list[dict[str, str]] = field(default_factory=list)

    def count(self, *, new: bool) -> int:
        return sum(item.is_new == new for item in self.sessions)


class Command(BaseCommand):
    """See `help`."""

    help = "Import sessions from zips; what is there already stays as it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="ZIP")
        parser.add_argument("--owner", metavar="USER", help="default: the first admin")
        parser.add_argument("--project", help="put new sessions there, by name or key")
        parser.add_argument("--json", action="store_true", help="facts for programs")
        parser.add_argument("--strict", action="store_true", help="exit 1 if anything was left out")

    def handle(self, *, paths: list[Path], **options: Any) -> None:
        owner, project = owner_named(options["owner"]), project_named(options["project"])
        wish = Wish(owner, timezone.now(), content_digest, project)
        taken = Taken()
        for path in paths:
            _take(path, wish, taken)
        self._print(taken, json=options["json"])
        if len(paths) == 1 and not taken.sessions and taken.problems:
            raise CommandError(taken.problems[0]["reason"], returncode=2)
        if options["strict"] and taken.problems:
            sys.exit(1)

    def _print(self, taken: Taken, *, json: bool) -> None:
        if json:
            items = [
                {
                    "id": item.session.short_id, "archive_id": item.archive_id,
                    "status": "created" if item.is_new else "unchanged",
                    "messages": item.messages, "problems": item.problems,
                }
                for item in taken.sessions
            ]  # fmt: skip
            self.stdout.write(terminal.as_json({"items": items, "problems": taken.problems}))
            return
        told = {"created": taken.count(new=True), "unchanged": taken.count(new=False)}
        self.stdout.write(_("%(created)d sessions imported, %(unchanged)d unchanged.") % told)
        for problem in taken.problems[:SHOWN]:
            path, reason = terminal.one_line(problem["path"]), terminal.one_line(problem["reason"])
            self.stdout.write(
                _("  left out %(path)s: %(reason)s") % {"path": path, "reason": reason}
            )


def _take(path: Path, wish: Wish, taken: Taken) -> None:
    """One archive; a bad one is told with its name and takes nothing from the others."""
    try:
        with path.open("rb") as file:
            staged = stage_archive(file, path.name)
            taken.sessions += load_archive(staged, wish)
    except OSError as error:
        taken.problems.append({"path": str(path), "reason": error.strerror or str(error)})
        return
    except Refused as refusal:
        entry = refusal.details.get("entry") or refusal.details.get("reason")
        reason = f"{refusal} ({entry})" if entry else str(refusal)
        taken.problems.append({"path": str(path), "reason": reason})
        return
    for name in staged.ignored:
        reason = _("belongs to no session")
        taken.problems.append({"path": f"{path}:{name}", "reason": reason})
