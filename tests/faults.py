"""A failure at every step: the n-th statement, or change of a file, does not happen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any
from unittest import mock

from django.db import connection

# Steps of Django's own book-keeping: whoever dies there dies before or after our own step.
BOOKKEEPING = ("SAVEPOINT", "RELEASE", "ROLLBACK")
FILE_STEPS = ("replace", "fsync", "unlink")


class Crash(Exception):
    """As if the process were gone: nobody but transactions and `finally` knows of it."""


class Steps:
    """Counts the steps and fails at one of them."""

    def __init__(self, fatal: int, error: type[BaseException]) -> None:
        self.fatal, self.error, self.done = fatal, error, 0

    def take(self) -> None:
        self.done += 1
        if self.done == self.fatal:
            raise self.error(f"step {self.fatal}")

    def statement(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        if not sql.startswith(BOOKKEEPING):
            self.take()
        return execute(sql, params, many, context)

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **options: Any) -> Any:
            self.take()
            return function(*args, **options)

        return stepped


@contextmanager
def failing_at(step: int, error: type[BaseException] = Crash) -> Iterator[Steps]:
    """The `step`-th SQL statement, or file that is moved, synced or removed, fails."""
    steps = Steps(step, error)
    with ExitStack() as stack:
        stack.enter_context(connection.execute_wrapper(steps.statement))
        for name in FILE_STEPS:
            stepped = steps.before(getattr(os, name))
            stack.enter_context(mock.patch.object(os, name, stepped))
        yield steps


def fail_everywhere(
    act: Callable[[], object],
    check: Callable[[], object],
    *,
    error: type[BaseException] = Crash,
) -> int:
    """Let `act` fail at its first step, its second ... until it succeeds; `check` after each.

    Answers how many steps it has, so that a test can say that there were some.
    """
    for step in count(1):
        try:
            with failing_at(step, error):
                act()
        except error:
            check()
            continue
        check()
        return step - 1
    raise AssertionError("unreachable")
