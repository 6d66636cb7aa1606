"""Every row of what was asked for has a test, or stands in the list of those that have none yet.

A test says `# K12` (or `# K12 C3`) where it shows that the whole row works. Words in between, as
in `# part of K12`, make it a note that counts for nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

TESTS: Path = settings.BASE_DIR / "tests"
MARK = re.compile(r"# ((?:[KC]\d+)(?: [KC]\d+)*)\s*(?:\"\"\")?$", re.MULTILINE)

ROWS = {
    "K1": "go on with the last conversation",
    "K2": "switch between named sessions",
    "K3": "a crash loses nothing: an unfinished session is found and recovered",
    "K4": "metadata of a session",
    "K5": "the folder layout is read and written",
    "K6": "create, get, list and latest",
    "K7": "update, mark completed, mark crashed",
    "K8": "append a message, read all or the last N, clear",
    "K9": "snapshots: create, get, latest, list, roll back",
    "K10": "find recoverable sessions, recover from the latest snapshot",
    "K11": "a lock for each session, with time-out",
    "K12": "clean up old completed sessions, crashed ones with a question",
    "K13": "statistics and a text report",
    "K14": "save regularly, always close, lock before changing counters",
    "K15": "names that mean something, snapshots every N steps, graceful exit",
    "K16": "how much disk a session takes",
    "K17": "sessions on several machines",
    "K18": "kept for ever by default, configurable cleanup",
    "K19": "export to zip, import from zip",
    "K20": "full-text search over all messages",
    "K21": "merge several sessions into one",
    "C1": "every run is tracked with everything about it",
    "C2": "ephemeral runs leave no trace",
    "C3": "clinvk's files, with documented and actual field names",
    "C4": "shared and exclusive locks, stale ones cleared",
    "C5": "the life of a session: created, active, completed or error, expired",
    "C6": "the list with its columns and relative times",
    "C7": "filters, combined, and as JSON",
    "C8": "resume the last, by id, with a prompt, from a picker, only here, by backend",
    "C9": "only sessions with an id of the backend can be resumed, and it is said why",
    "C10": "quickly the most recent resumable one",
    "C11": "show all fields of a session, and as JSON",
    "C12": "fork: new id, context copied, original untouched",
    "C13": "tags at creation, later, and as filters",
    "C14": "search in prompts, the last 24 hours, a certain date",
    "C15": "automatic cleanup after the days of retention",
    "C16": "clean by age, one, all completed, by backend",
    "C17": "archive important ones before cleaning",
    "C18": "configuration of retention, token usage and default tags",
    "C19": "token use by session, in all and by backend; a budget with a warning",
    "C20": "trouble: why not resumable, corrupt files, reset, the largest sessions",
    "C21": "an audit trail of what was run and spent",
}
# Only ever shorter.
WITHOUT_A_TEST = {
    *("K1", "K2", "K9", "K12", "K13", "K14", "K15", "K16", "K17", "K18"),
    *("C2", "C8", "C10", "C13", "C15", "C16", "C17", "C18", "C19", "C20", "C21"),
}


def marks() -> dict[str, set[str]]:
    """Row -> the test modules that name it."""
    found: dict[str, set[str]] = {}
    for file in TESTS.rglob("*.py"):
        if file == Path(__file__):
            continue
        for mark in MARK.finditer(file.read_text(encoding="utf-8")):
            for row in mark[1].split():
                found.setdefault(row, set()).add(str(file.relative_to(TESTS)))
    return found


def test_all_rows_are_known_here() -> None:
    wanted = {f"{letter}{number}" for letter in "KC" for number in range(1, 22)}
    assert set(ROWS) == wanted
    assert set(WITHOUT_A_TEST) <= wanted
    assert set(marks()) <= wanted


def test_every_row_outside_the_list_has_a_test() -> None:
    missing = {row: ROWS[row] for row in set(ROWS) - WITHOUT_A_TEST - set(marks())}
    assert missing == {}


def test_a_row_with_a_test_leaves_the_list() -> None:
    tested = {row: files for row, files in marks().items() if row in WITHOUT_A_TEST}
    assert tested == {}
