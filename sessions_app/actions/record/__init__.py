"""The one door: whatever files, the API or an import tell ends here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sessions_app.actions.prepared import FilePart, PreparedSession
from sessions_app.actions.record import messages, problems, raw, saved, sessions, usage
from sessions_app.actions.record.batch import Collector, Stored
from sessions_app.actions.transaction import write_transaction

__all__ = ["Collector", "Stored", "store"]


def store(parts: Sequence[FilePart], by: Collector) -> Stored:
    """Store everything that these parts tell, and how far their files were read, at once.

    One transaction: after a crash either all of it is there, positions included, or nothing.
    """
    files = saved.stage(parts)
    done = Stored()
    with write_transaction():
        owners: dict[str, int] = {}
        for group in _groups(parts):
            entries = sessions.open_group(group, by)
            messages.record(entries, by, files, done)
            usage.record(entries, by)
            saved.record(entries, by, files)
            raw_sizes = raw.record(group, entries, by, owners)
            sessions.close_group(entries, by, raw_sizes)
            for entry in entries:
                (done.created if entry.is_new else done.updated).add(entry.session.pk)
        done.problems = problems.record(parts, by, owners)
    done.updated -= done.created
    return done


def _groups(parts: Sequence[FilePart]) -> Iterator[list[FilePart]]:
    """Runs of parts in which no session stands twice, so that each row is written once."""
    group: list[FilePart] = []
    seen: set[tuple[str, str]] = set()
    for part in parts:
        names = {name for item in part.sessions for name in _names(item)}
        if names & seen:
            yield group
            group, seen = [], set()
        group.append(part)
        seen |= names
    if group:
        yield group


def _names(item: PreparedSession) -> set[tuple[str, str]]:
    record = item.record
    names = {(record.backend, record.identity)}
    return names | {("", record.alias)} if record.alias else names
