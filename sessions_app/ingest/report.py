"""What a run of the ingest did, as people and programs read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sessions_app.actions.prepared import FilePart
from sessions_app.ingest.discover import Found
from sessions_app.records import Problem

MAX_LISTED = 1000  # problems; all of them are stored


@dataclass(slots=True)
class Report:
    """Counts of one run; `seconds` is wall time."""

    seen: int = 0
    unchanged: int = 0
    parsed: int = 0
    failed: int = 0
    created: set[int] = field(default_factory=set)
    updated: set[int] = field(default_factory=set)
    restored: int = 0  # out of the trash
    messages: int = 0
    bytes: int = 0
    seconds: float = 0.0
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    stopped: bool = False
    found: list[Found] = field(default_factory=list)  # what was looked at

    def add_parts(self, parts: list[FilePart]) -> None:
        """Count what was read."""
        for part in parts:
            self.bytes += part.size
            self.parsed += part.is_last and not part.failure
            self.failed += bool(part.failure)
            told = part.problems()
            self.problem_count += len(told)
            self.problems += told[: max(MAX_LISTED - len(self.problems), 0)]

    def as_json(self) -> dict[str, Any]:
        """The shape of the contract."""
        return {
            "files": {
                "seen": self.seen,
                "unchanged": self.unchanged,
                "parsed": self.parsed,
                "failed": self.failed,
            },
            "sessions": {"created": len(self.created), "updated": len(self.updated)},
            "messages": self.messages,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "problems": [
                {"path": item.path, "line": item.line or None, "reason": item.reason}
                for item in self.problems
            ],
        }
