"""The one door: whatever files, the API or an import tell ends here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sessions_app.actions.prepared import FilePart, PreparedSession
from sessions_app.actions.record import links, messages, problems, raw, saved, sessions, usage
from sessions_app.actions.record.batch import Collector, Stored
from sessions_app.actions.transaction import record_alone, write_transaction

__all__ = ["Collector", "Stored", "store"]


def store(parts: Sequence[FilePart], by: Collector) -> Stored:
    """Store everything that these parts tell, and how far their files were read, at once.

    One transaction: after a crash either all of it is there, positions included, or nothing.
    """
    staged = saved.stage(parts)
    done = Stored()
    with write_transaction():
        record_alone()
        saved.record_files(staged, by)
        owners: dict[str, int] = {}
        for group in _groups(parts):
            _store_group(group, by, staged, owners, done)
        done.problems = problems.record(parts, by, owners)
    done.updated -= done.created
    return done


def _store_group(
    group: Sequence[FilePart],
    by: Collector,
    staged: saved.Staged,
    owners: dict[str, int],
    done: Stored,
) -> None:
    files = raw.known_files(group, by)
    entries = sessions.open_group(group, by, files)
    messages.record(entries, by, staged, done)
    met = usage.record(entries, by)
    saved.record(entries, by, staged)
    raw_sizes = raw.record(group, files, entries, by, owners)
    sessions.close_group(entries, by, raw_sizes)
    links.record(entries, by, met)
    for entry in entries:
        (done.created if entry.is_new else done.updated).add(entry.session.pk)


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
