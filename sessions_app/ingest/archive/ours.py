"""The conversation of one of our own archives, batch by batch through the one door."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
from django.utils.translation import gettext_lazy as _

from sessions_app import border
from sessions_app.actions.prepare import answer_call, encode, prepare, prepare_image
from sessions_app.actions.prepare_facts import USAGE_KEY
from sessions_app.actions.prepared import FilePart, PreparedSession
from sessions_app.actions.record import Collector, store
from sessions_app.actions.refusals import TooLarge
from sessions_app.agents.lines import parse
from sessions_app.ingest.archive.checked import BadArchive
from sessions_app.ingest.archive.lines import (
    Line,
    Read,
    UsageLine,
    read_line,
    session_record,
    usage_record,
)
from sessions_app.ingest.archive.staged import MESSAGES, StagedArchive, StagedSession
from sessions_app.models import Usage
from sessions_app.records import Problem, SessionRecord, UsageRecord

BATCH, BATCH_BYTES = 1000, 8 * 1024 * 1024
MAX_LINE = 64 * 1024 * 1024
MAX_IMAGE = 64 * 1024 * 1024
MOST_MESSAGES = 1_000_000
MOST_PROBLEMS = 200
NUMBERS = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")


@dataclass(slots=True)
class StoredSession:
    """What the door made of a session."""

    session: int
    problems: int = 0


@dataclass(slots=True)
class _Reader:
    archive: StagedArchive
    staged: StagedSession
    problems: list[Problem] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    def batches(self) -> Iterator[list[Read]]:
        """At least one, so that a session without messages is stored as well."""
        batch: list[Read] = []
        size, count = 0, 0
        for number, data in enumerate(self._lines(), 1):
            count += 1
            if count > MOST_MESSAGES:
                raise TooLarge(_("The session has too many messages."), limit=MOST_MESSAGES)
            item = self._read(number, data)
            if item is None:
                continue
            batch.append(item)
            size += len(data) + sum(len(block.data) for block in item.message.blocks)
            if len(batch) >= BATCH or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        yield batch

    def _lines(self) -> Iterator[bytes]:
        name = self.staged.folder + MESSAGES
        if name not in self.archive.archive.entries:
            return
        rest = b""
        for block in self.archive.archive.blocks(name):
            *whole, rest = (rest + block).split(b"\n")
            if len(rest) > MAX_LINE:
                raise BadArchive(_("A line is too long."), entry=name[:200], limit=MAX_LINE)
            yield from whole
        if rest:
            yield rest

    def _read(self, number: int, data: bytes) -> Read | None:
        if not data.strip():
            return None
        try:
            line = _decode(data)
        except (ValueError, RecursionError) as error:
            self._refuse(number, str(error))
            return None
        key = line.key or f"L{number}"
        if key in self.keys:
            key = f"{key}~{number}"
        self.keys.add(key)
        return read_line(line, key, self._image)

    def _refuse(self, number: int, reason: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            path = f"{self.archive.label}:{self.staged.folder}{MESSAGES}"
            self.problems.append(Problem(path, f"a line cannot be read: {reason}", number))

    def _image(self, sha256: str) -> bytes:
        name = f"{self.staged.folder}images/{sha256}"
        if self.staged.digests.get(f"images/{sha256}") != sha256:
            return b""
        return self.archive.archive.content(name, MAX_IMAGE)


_LINES = msgspec.json.Decoder(Line)


def _decode(data: bytes) -> Line:
    try:
        return _LINES.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return msgspec.convert(parse(data), Line)


def our_parts(
    archive: StagedArchive, staged: StagedSession, by: Collector, identity: str
) -> StoredSession:
    """Store the conversation; facts that the door does not know follow in `finish`."""
    reader = _Reader(archive, staged, list(staged.problems))
    stored = StoredSession(0)
    loose = staged.facts.usage
    for batch in reader.batches():
        record = session_record(staged.facts)
        record.identity = identity
        record.problems, reader.problems = reader.problems, []
        done = store([FilePart("import", [], [], [_prepared(record, batch, loose, by)])], by)
        loose = []
        stored.session = next(iter(done.created), stored.session)
        stored.problems += done.problems
    return stored


def _prepared(
    record: SessionRecord, batch: list[Read], loose: list[UsageLine], by: Collector
) -> PreparedSession:
    record.messages = [item.message for item in batch]
    record.usages = [usage for item in batch for usage in item.usages]
    record.usages += [usage_record(line) for line in loose]
    keys = [usage_key(usage.key, by) for usage in record.usages]
    part = prepare(record, now=by.now)
    for usage, key in zip(part.record.usages, keys, strict=True):
        usage.key = key
    leave_known(part.record.usages)
    for message, item in zip(part.messages, batch, strict=True):
        for call, result, metadata in zip(
            message.calls, item.results, item.call_metadata, strict=True
        ):
            if result is None:
                call.metadata = encode(metadata)
                continue
            answer_call(call, result, by.now)
            message.images += [prepare_image(image, call.call_id) for image in result.images]
    return part


def usage_key(key: str, by: Collector) -> str:
    """Keys from programs become the importer's own."""
    return border.clean_name(key.replace(":api:*:", f":api:{by.user.pk}:", 1), USAGE_KEY)


def leave_known(usages: list[UsageRecord]) -> None:
    """What is known of a response is not changed by an archive: it is only linked."""
    known = Usage.objects.filter(key__in=[usage.key for usage in usages])
    rows = {row.key: row for row in known}
    for usage in usages:
        row = rows.get(usage.key)
        if row is None:
            continue
        for name in NUMBERS:
            setattr(usage, name, getattr(row, name))
        usage.at, usage.model, usage.summary = row.at, row.model, row.is_summary
        usage.cost = row.cost if row.is_recorded else None
