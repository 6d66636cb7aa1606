"""Give sessions away: the agents' own files as they were, or one JSON object a session."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from rich.console import Console
from rich.progress import track

from sessions_app.agents.places import home_folders
from sessions_app.agents.resume import resume_command
from sessions_app.exports.archive import archive
from sessions_app.exports.folder import write_file
from sessions_app.exports.native import native
from sessions_app.exports.session_json import sessions_json
from sessions_app.management import terminal
from sessions_app.management.people import viewer_named
from sessions_app.management.selection import add_filters, chosen
from sessions_app.models import AgentSession, User
from sessions_app.queries.raw_files import with_subagents

SHOWN = 20
GROUP = 200
LINES, ARCHIVE = "sessions.jsonl", "sessions.zip"
Item = TypeVar("Item")


@dataclass(slots=True)
class Written:
    """What an export wrote, and what it had to leave out."""

    files: int = 0
    bytes: int = 0
    problems: list[dict[str, str]] = field(default_factory=list)

    def left_out(self, path: str, reason: str) -> None:
        self.problems.append({"path": path, "reason": reason})


@dataclass(frozen=True, slots=True)
class Order:
    """Who asks for which sessions, and where they go."""

    viewer: User
    sessions: Sequence[AgentSession]
    folder: Path
    older: bool
    show: bool


def export_native(order: Order, done: Written) -> None:
    """Every file byte for byte, laid out as in a home; of a database its sessions' rows."""
    found = native(with_subagents(order.sessions, order.viewer), home_folders(), older=order.older)
    for path in found.missing:
        done.left_out(path, _("its bytes are not kept"))
    for item in _shown(found.files, show=order.show):
        when = item.file.mtime_ns if item.generation == item.file.generation else 0
        try:
            size = write_file(order.folder, item.parts, item.content(), mtime_ns=when)
        except OSError as error:
            done.left_out(item.name, error.strerror or str(error))
            continue
        done.files += 1
        done.bytes += size


def export_json(order: Order, done: Written) -> None:
    """The sessions as `show_session --json` tells them, one a line."""

    def lines() -> Iterable[bytes]:
        groups = range(0, len(order.sessions), GROUP)
        for start in _shown(groups, show=order.show):
            group = order.sessions[start : start + GROUP]
            for told in sessions_json(group, viewer=order.viewer, resume_command=resume_command):
                yield f"{terminal.as_json(told)}\n".encode()

    try:
        done.bytes += write_file(order.folder, [LINES], lines())
    except OSError as error:
        done.left_out(LINES, error.strerror or str(error))
        return
    done.files += 1


def export_zip(order: Order, done: Written) -> None:
    """Everything of the sessions as one archive, which `import_sessions` takes."""
    sessions = _shown(order.sessions, show=order.show)
    try:
        done.bytes += write_file(order.folder, [ARCHIVE], archive(sessions))
    except OSError as error:
        done.left_out(ARCHIVE, error.strerror or str(error))
        return
    done.files += 1


FORMATS: dict[str, Callable[[Order, Written], None]] = {
    "native": export_native,
    "json": export_json,
    "zip": export_zip,
}


class Command(BaseCommand):
    """See `help`."""

    help = "Write sessions into a folder; without ids or filters all main sessions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ids", nargs="*", metavar="ID", help="the start of a session's id")
        add_filters(parser)
        parser.add_argument("--as", dest="form", choices=list(FORMATS), required=True)
        parser.add_argument("--to", type=Path, required=True, metavar="DIR")
        parser.add_argument(
            "--older", action="store_true", help="native: also what rewritten files held before"
        )
        parser.add_argument("--user", help="only what this person may see; default: everything")
        parser.add_argument("--json", action="store_true", help="facts for programs")
        parser.add_argument("--strict", action="store_true", help="exit 1 if anything was left out")

    def handle(self, *, form: str, to: Path, ids: list[str], **options: Any) -> None:
        viewer = viewer_named(options["user"])
        sessions = chosen(viewer, ids, options)
        try:
            to.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            sentence = _("Cannot write to %(folder)s: %(reason)s.")
            told = {"folder": to, "reason": error.strerror or str(error)}
            raise CommandError(sentence % told, returncode=2) from error
        done, show = Written(), not options["json"] and sys.stderr.isatty()
        FORMATS[form](Order(viewer, sessions, to, options["older"], show), done)
        self._print(len(sessions), done, json=options["json"])
        if options["strict"] and done.problems:
            sys.exit(1)

    def _print(self, sessions: int, done: Written, *, json: bool) -> None:
        if json:
            told = {"sessions": sessions, "files": done.files, "bytes": done.bytes}
            self.stdout.write(terminal.as_json(told | {"problems": done.problems}))
            return
        self.stdout.write(
            _("%(sessions)d sessions: %(files)d files, %(bytes)d bytes.")
            % {"sessions": sessions, "files": done.files, "bytes": done.bytes}
        )
        for problem in done.problems[:SHOWN]:
            path, reason = terminal.one_line(problem["path"]), terminal.one_line(problem["reason"])
            self.stdout.write(
                _("  left out %(path)s: %(reason)s") % {"path": path, "reason": reason}
            )
        if len(done.problems) > SHOWN:
            count = len(done.problems) - SHOWN
            self.stdout.write(_("  and %(count)d more; --json lists all") % {"count": count})


def _shown(items: Sequence[Item], *, show: bool) -> Iterable[Item]:
    if not show:
        return items
    return track(items, _("Writing"), console=Console(stderr=True), transient=True)
