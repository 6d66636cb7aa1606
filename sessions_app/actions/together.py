"""Group commit: writes that wait at the same time share one transaction, and one sync of the disk.

A durable commit costs as much as a hundred small writes. Each write keeps a savepoint of its
own: what is refused or fails takes nothing back from its neighbours, and nobody is answered
before the commit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar, cast

from django.db import connection, transaction

from sessions_app.actions.transaction import record_alone, write_transaction

Answer = TypeVar("Answer")
MOST_AT_ONCE = 64

_entry = threading.Lock()  # guards the list
# Held by whoever writes for all; what runs after its commit may write in turn.
_lead = threading.RLock()
_waiting: list[_Write[object]] = []


def write_together(work: Callable[[], Answer]) -> Answer:
    """What `work` answers, once it is stored; what it raises, and then nothing of it is.

    `work` may run in another thread of this process: it must neither wait for anybody nor
    speak anybody's language, and it asks the database again for whatever it decides on.
    """
    if connection.in_atomic_block:
        with transaction.atomic():
            return work()
    mine = _Write(work)
    with _entry:
        _waiting.append(cast("_Write[object]", mine))
    with _lead:
        while not mine.is_over:
            _write_all(mine)
    return mine.answer()


def _write_all(mine: _Write[Answer]) -> None:
    """Write for everybody who waits; those who came later wait for the next leader."""
    taken: list[_Write[object]] = []
    stored = False
    try:
        with write_transaction():
            record_alone()
            with _entry:
                taken = _waiting[:MOST_AT_ONCE]
                del _waiting[:MOST_AT_ONCE]
            for write in taken:
                write.run()
        stored = True
    finally:
        with _entry:
            if not stored and mine in _waiting:
                _waiting.remove(cast("_Write[object]", mine))
        for write in taken:
            write.end(stored)


class NotStored(Exception):
    """The commit that this write shared with others failed, for everybody."""


class _Write(Generic[Answer]):
    """One write that waits, and what became of it."""

    def __init__(self, work: Callable[[], Answer]) -> None:
        self.work = work
        self.is_over = False
        self.result: list[Answer] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        with self, transaction.atomic():
            self.result.append(self.work())

    def end(self, stored: bool) -> None:
        self.is_over = True
        if not stored and self.error is None:
            self.error = NotStored()

    def answer(self) -> Answer:
        if self.error is not None:
            raise self.error
        return self.result[0]

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Keep the error for whoever waits, unless it broke the transaction of all."""
        self.error = error
        return isinstance(error, Exception) and not connection.needs_rollback
