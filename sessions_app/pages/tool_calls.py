"""A tool call on one line: what kind of tool, its telling argument, how it went."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sessions_app.figures import duration
from sessions_app.models import AgentSession, ToolCall
from sessions_app.pages.markup import structured
from sessions_app.pages.markup.characters import label, one_line
from sessions_app.pages.session_rows import session_title
from sessions_app.queries.transcript import Called

SUMMARY = 160  # characters
SHORTEST = 0.5  # seconds that are worth telling

SHELL, EDIT, WRITE, PATCH, READ, SEARCH, WEB, PLAN, AGENT, OTHER = (
    "shell", "edit", "write", "patch", "read", "search", "web", "plan", "agent", "other",
)  # fmt: skip
NAMES: dict[str, tuple[str, ...]] = {
    SHELL: ("bash", "shell", "exec_command", "shell_command", "local_shell", "execute_command",
            "run_shell_command", "container.exec", "execute", "terminal", "run_command"),
    EDIT: ("edit", "multiedit", "replace", "str_replace", "strreplacefile", "edit_file",
           "str_replace_editor", "notebookedit"),
    WRITE: ("write", "write_file", "writefile", "create_file", "create"),
    PATCH: ("apply_patch", "patch"),
    READ: ("read", "read_file", "readfile", "view", "cat", "read_many_files", "view_image"),
    SEARCH: ("grep", "glob", "ls", "search", "find", "list", "list_directory", "search_files",
             "search_file_content", "codebase_search"),
    WEB: ("webfetch", "websearch", "web_fetch", "web_search", "google_web_search", "fetch"),
    PLAN: ("todowrite", "todo_write", "update_plan", "set_todo_list", "todoread"),
    AGENT: ("task", "agent", "spawn_agent", "subagent"),
}  # fmt: skip
FAMILIES = {name: family for family, names in NAMES.items() for name in names}
ICONS = {
    SHELL: "terminal", EDIT: "edit", WRITE: "edit", PATCH: "edit", READ: "file",
    SEARCH: "search", WEB: "globe", PLAN: "list", AGENT: "agents",
}  # fmt: skip
# Where the argument that tells most about a call stands, the best first.
TELLING = (
    "command", "cmd", "file_path", "absolute_path", "notebook_path", "pattern", "query", "url",
    "description", "path", "subject", "prompt", "message", "skill", "name", "title",
)  # fmt: skip
TELLING_OF = {AGENT: ("description", "message", "prompt"), SEARCH: ("pattern", "query", "path")}
ITEM = ("content", "step", "title")  # of a plan: its first item tells what it is about
FILE_OF_PATCH = re.compile(r"^(?:\*\*\* (?:Update|Add|Delete) File: |\+\+\+ (?:b/)?)(.+)$", re.M)
LISTED = re.compile(r'"(?:command|cmd)"\s*:\s*\[')
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"?')
SHELLS = ("sh", "bash", "zsh", "/bin/sh", "/bin/bash", "/bin/zsh", "/usr/bin/bash")
# state -> its word and its icon
STATES = {
    "ok": (gettext_lazy("ok"), "check"),
    "error": (gettext_lazy("error"), "close"),
    "running": (gettext_lazy("running"), "clock"),
    "open": (gettext_lazy("no result"), "warning"),
}


class CallView(NamedTuple):
    """A tool call as it stands folded in the transcript."""

    pk: int
    name: str
    icon: str
    about: SafeString
    state: str  # one of STATES
    took: str = ""
    bad_end: str = ""
    complaint: SafeString = SafeString()  # how the result of a failed call begins
    child: AgentSession | None = None  # the sub-agent that it started
    child_title: str = ""


def call_view(
    call: ToolCall | Called,
    session: AgentSession,
    started: datetime | None,
    children: Mapping[str, AgentSession],
) -> CallView:
    """`started`: when the message was said that holds the call."""
    family = family_of(call.name)
    took = (call.ended_at - started).total_seconds() if call.ended_at and started else 0
    child = children.get(call.call_id)
    return CallView(
        call.pk,
        label(call.name) or _("unknown tool"),
        ICONS.get(family, "tool"),
        one_line(telling(family, call.input_preview, session.work_dir), SUMMARY),
        _state(call, session),
        duration(took) if took >= SHORTEST else "",
        _("exit %(code)d") % {"code": call.exit_code} if call.exit_code else "",
        one_line(call.output_preview, SUMMARY) if call.is_error else SafeString(),
        child,
        label(session_title(child)) if child else "",
    )


def family_of(name: str) -> str:
    """What kind of tool has this name, whichever agent it belongs to."""
    return FAMILIES.get(name.lower(), OTHER)


def telling(family: str, text: str, work_dir: str = "") -> str:
    """The argument that tells most, also of an input that was cut."""
    if family == PATCH or text.startswith("*** Begin Patch"):
        return ", ".join(FILE_OF_PATCH.findall(text.replace("\\n", "\n"))[:3])
    if family == PLAN:
        return _guessed(text, ITEM)
    if not text.startswith("{"):
        return text
    value = structured.read(text)
    names = TELLING_OF.get(family, ()) + TELLING
    found = _told(value, names) if isinstance(value, dict) else _guessed(text, names)
    return found.removeprefix(work_dir.rstrip("/") + "/") if work_dir else found


def command_of(value: Any) -> str:
    """A shell command that was given as text or as a list of words."""
    if not isinstance(value, list):
        return value if isinstance(value, str) else ""
    words = [word if isinstance(word, str) else str(word) for word in value]
    if len(words) == 3 and words[0] in SHELLS and words[1] in ("-c", "-lc"):
        return words[2]
    return " ".join(words)


def _told(value: dict[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        found = command_of(value.get(name))
        if found:
            return found
    return next((str(item) for item in value.values() if isinstance(item, str | int)), "")


def _guessed(text: str, names: tuple[str, ...]) -> str:
    listed = LISTED.search(text)
    if listed:
        return command_of(STRING.findall(text, listed.end())[:20])
    return next((found for name in names if (found := structured.field(text, name))), "")


def _state(call: ToolCall | Called, session: AgentSession) -> str:
    if call.ended:
        return "error" if call.is_error else "ok"
    return "running" if session.status == AgentSession.Status.ACTIVE else "open"
