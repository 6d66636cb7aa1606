"""How fast messages are appended: through gunicorn, with tokens, each writer to its own session.

`python -m tests.bench.append` measures only this; DATABASE_URL names another database.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

import django

from tests.bench import place
from tests.bench.server import Connection, serving
from tests.bench.words import Words

WRITERS = 8
SECONDS = 10.0
LETTERS = 500  # of one message


class Load(NamedTuple):
    """One way of writing."""

    name: str
    messages: int  # in one request
    writers: int = WRITERS


class Measured(NamedTuple):
    name: str
    requests: float  # a second
    rows: float  # a second
    p50: float  # milliseconds
    p99: float
    slowest: float
    errors: int
    missing: int  # rows that were answered and are not there, or were never answered


LOADS = (Load("100 messages", 100), Load("1 message", 1), Load("1 message, alone", 1, 1))


def measure(seconds: float = SECONDS) -> Iterator[Measured]:
    """Starts a server of its own in the scratch place; `django.setup()` was called."""
    with serving() as port:
        for load in LOADS:
            yield _measured(load, port, seconds)


def _measured(load: Load, port: int, seconds: float) -> Measured:
    from sessions_app.models import AgentSession, Message

    writers = [_writer(index) for index in range(load.writers)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        halves = [writers[0::2], writers[1::2]]
        jobs = [(half, load.messages, port, seconds) for half in halves if half]
        found = [times for half in pool.starmap(_write_all, jobs) for times in half]
    good = sorted(took for times, _errors in found for took in times)
    errors = sum(count for _times, count in found)
    sessions = [session for _secret, session in writers]
    stored = Message.objects.filter(session__short_id__in=sessions).count()
    counted = sum(
        AgentSession.objects.filter(short_id__in=sessions).values_list("last_seq", flat=True)
    )
    told = len(good) * load.messages
    cuts = statistics.quantiles(good, n=100)
    return Measured(
        load.name, len(good) / seconds, told / seconds, 1000 * cuts[49], 1000 * cuts[98],
        1000 * good[-1], errors, abs(stored - told) + abs(counted - told),
    )  # fmt: skip


def _writer(index: int) -> tuple[str, str]:
    """(token, session) of a person of its own."""
    from django.utils import timezone

    from sessions_app.actions.api_tokens import create_token
    from sessions_app.actions.create import Wish, create_session
    from sessions_app.models import User

    now = timezone.now()
    user, _is_new = User.objects.get_or_create(username=f"writer-{index}")
    _token, secret = create_token(user, name="bench", scopes=["write"], by=user, now=now)
    made = create_session(Wish(backend="claude", facts={"work_dir": "/p/x"}), by=user, now=now)
    return secret, made.session.short_id


def _write_all(
    writers: Sequence[tuple[str, str]], messages: int, port: int, seconds: float
) -> list[tuple[list[float], int]]:
    """In a process of its own: a thread for each writer."""
    found: list[tuple[list[float], int]] = []
    bodies = _bodies(messages)
    until = time.monotonic() + seconds

    def write(secret: str, session: str) -> None:
        found.append(_write(Connection(port), secret, session, bodies, until))

    threads = [threading.Thread(target=write, args=writer) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _bodies(messages: int) -> list[bytes]:
    """Some bodies to take in turn: making them anew would measure the writers."""
    words = Words(Random(1))
    told = [
        {"role": ("user", "assistant")[place % 2], "content": words.prose(LETTERS)}
        for place in range(messages * 4)
    ]
    starts = range(0, len(told), messages)
    return [json.dumps({"messages": told[start : start + messages]}).encode() for start in starts]


def _write(
    connection: Connection, secret: str, session: str, bodies: list[bytes], until: float
) -> tuple[list[float], int]:
    times, errors, count = [], 0, 0
    address = f"/api/v1/sessions/{session}/messages"
    while (started := time.monotonic()) < until:
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json",
                   "Idempotency-Key": f"{session}-{count}"}  # fmt: skip
        answer = connection.ask("POST", address, headers, bodies[count % len(bodies)])
        count += 1
        if answer.status == 200:
            times.append(time.monotonic() - started)
        else:
            errors += 1
    return times, errors


HEADS = ("", "requests/s", "rows/s", "p50 ms", "p99 ms", "slowest ms", "errors", "lost")


def rows(found: Iterator[Measured]) -> Iterator[list[str]]:
    """As cells of a table."""
    for item in found:
        yield [item.name, *(f"{value:,.0f}" for value in item[1:])]


def main() -> int:
    home = place.make()
    try:
        django.setup()
        from django.core.management import call_command

        from sessions_app.management.terminal import columns

        call_command("migrate", verbosity=0)
        print(columns([HEADS, *rows(measure())]))
        return 0
    finally:
        shutil.rmtree(home.parent)


if __name__ == "__main__":
    sys.exit(main())
