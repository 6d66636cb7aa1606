"""The parser process: units in through one pipe, batches of prepared parts out through another.

A thread sends, so that the next batch is read while the writer is busy with the one before. The
outbox is short: memory does not grow with the archive.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from queue import Queue

import msgspec

from sessions_app.actions.prepared import FilePart
from sessions_app.ingest.reading import Unit, failed_part, read_unit

BATCH = 8 * 1024 * 1024  # bytes of input in one batch, which is one transaction
BATCH_FILES = 200
COLLECT_AFTER = 500_000  # new objects
OUTBOX = 1  # batches that wait, beside the one on its way and the one in the making

logger = logging.getLogger(__name__)


class Batch(msgspec.Struct, array_like=True):
    """Prepared parts; `files` counts the units that end in it."""

    parts: list[FilePart]
    files: int
    size: int

    def replacing(self, path: str = "") -> str:
        """The file whose replacement this batch leaves unfinished, or nothing.

        `path`: the one that the batch before left so.
        """
        last = self.parts[-1]
        if last.is_last or last.failure:
            return ""
        same = (part for part in self.parts if part.path == last.path)
        began = any(session.replace for part in same for session in part.sessions)
        return last.path if began or last.path == path else ""


def batches(units: Iterable[Unit], now: datetime) -> Iterator[Batch]:
    """Read the units in order, in batches of about `BATCH` bytes of input."""
    parts: list[FilePart] = []
    size = files = 0
    for unit in units:
        for part in _safely(unit, now):
            parts.append(part)
            size += part.size
            files += part.is_last or bool(part.failure)
            if size >= BATCH or files >= BATCH_FILES:
                yield Batch(parts, files, size)
                parts, size, files = [], 0, 0
    if parts:
        yield Batch(parts, files, size)


def _safely(unit: Unit, now: datetime) -> Iterator[FilePart]:
    """One bad file never stops the run: whatever its reader raises is told with its name."""
    try:
        yield from read_unit(unit, now)
    except Exception as error:
        logger.exception("cannot read %s", ascii(unit.main.path))
        if isinstance(error, OSError):
            unit.main.mtime_ns = 0  # a disk or network that fails is tried again next time
        yield failed_part(unit, f"{type(error).__name__}: {error}")


@contextmanager
def fewer_collections() -> Iterator[None]:
    """Batches are many objects without cycles: to look for cycles in them took a quarter of it."""
    usual = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def serve(tasks: Connection, answers: Connection) -> None:
    """Answer every list of units with its batches and then with an empty message."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the writer decides when to stop
    decoder = msgspec.msgpack.Decoder(list[Unit])
    encoder = msgspec.msgpack.Encoder()
    outbox: Queue[bytes] = Queue(OUTBOX)
    threading.Thread(target=_send, args=(outbox, answers), daemon=True).start()
    with fewer_collections():
        while task := _next_task(tasks):
            for batch in batches(decoder.decode(task), datetime.now(UTC)):
                outbox.put(encoder.encode(batch))
            outbox.put(b"")


def _send(outbox: Queue[bytes], answers: Connection) -> None:
    """Send what comes. Once the writer has gone the process has nothing left to do."""
    try:
        while True:
            answers.send_bytes(outbox.get())
    except OSError:
        os._exit(1)  # the other thread may wait for room in the outbox


def _next_task(tasks: Connection) -> bytes:
    """The next list of units; nothing once the writer has gone."""
    try:
        return tasks.recv_bytes()
    except EOFError:
        return b""
