"""How long reads take while four times as many clients write as the server has threads.

`python -m tests.bench.flood` measures only this; DATABASE_URL names another database.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import statistics
import sys
import threading
import time
from collections import Counter
from typing import NamedTuple

import django

from tests.bench import place
from tests.bench.append import _writer
from tests.bench.server import Connection, serving

SECONDS = 20.0
WORKERS, THREADS = 4, 4
CLIENTS = 4 * WORKERS * THREADS
READS = ("/sessions?limit=50", "/sessions/{id}", "/sessions/{id}/messages?last=50")
HEADS = ("", "reads", "p50 ms", "p99 ms", "slowest ms", "errors")


class Reads(NamedTuple):
    """What one reader saw."""

    times: list[float]
    errors: int


def measure(seconds: float = SECONDS) -> tuple[Reads, Reads, Counter[int]]:
    """Reads in peace, reads in the flood, and how the flood was answered."""
    with serving(WORKERS) as port:
        writers = [_writer(index) for index in range(8)]
        reader = _writer(8)
        _fill(port, writers[0])
        peace = _read(port, reader[0], writers[0][1], seconds / 4)
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            clients = [writers[number % len(writers)] for number in range(CLIENTS)]
            flood = pool.starmap_async(
                _flood, [(half, port, seconds) for half in (clients[0::2], clients[1::2])]
            )
            time.sleep(1)  # until all are there
            reads = _read(port, reader[0], writers[0][1], seconds - 2)
            statuses = sum(flood.get(timeout=seconds + 120), Counter[int]())
    return peace, reads, statuses


def _fill(port: int, writer: tuple[str, str]) -> None:
    told = [{"role": "user", "content": f"Message {number}. " * 20} for number in range(200)]
    secret, session = writer
    answer = Connection(port).ask(
        "POST", f"/api/v1/sessions/{session}/messages", _head(secret),
        json.dumps({"messages": told}).encode(),
    )  # fmt: skip
    assert answer.status == 200, answer.body


def _head(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}


def _read(port: int, secret: str, session: str, seconds: float) -> Reads:
    """Ten reads a second, as somebody who looks at pages; each by a connection of its own."""
    times: list[float] = []
    errors = 0
    until = time.monotonic() + seconds
    while (started := time.monotonic()) < until:
        address = READS[len(times) % len(READS)].format(id=session)
        answer = Connection(port).ask("GET", f"/api/v1{address}", _head(secret))
        times.append(time.monotonic() - started)
        errors += answer.status != 200
        time.sleep(max(0.1 - times[-1], 0))
    return Reads(times, errors)


def _flood(clients: list[tuple[str, str]], port: int, seconds: float) -> Counter[int]:
    """In a process of its own: a thread for each client."""
    statuses: Counter[int] = Counter()
    body = json.dumps({"messages": [{"role": "user", "content": "More! " * 80}]}).encode()
    until = time.monotonic() + seconds

    def write(secret: str, session: str) -> None:
        connection = Connection(port)
        while time.monotonic() < until:
            address = f"/api/v1/sessions/{session}/messages"
            statuses[connection.ask("POST", address, _head(secret), body).status] += 1

    threads = [threading.Thread(target=write, args=client) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def row(name: str, reads: Reads) -> list[str]:
    """As cells of a table."""
    cuts = statistics.quantiles(reads.times, n=100)
    figures = (1000 * cuts[49], 1000 * cuts[98], 1000 * max(reads.times))
    return [name, f"{len(reads.times)}", *(f"{figure:,.0f}" for figure in figures),
            f"{reads.errors}"]  # fmt: skip


def main() -> int:
    """0 when nothing failed but what was refused."""
    home = place.make(None)
    try:
        django.setup()
        place.manage("migrate", "--verbosity", "0")
        from sessions_app.management.terminal import columns

        peace, flood, statuses = measure()
        print(columns([HEADS, row("in peace", peace), row("in the flood", flood)]))
        print(f"{CLIENTS} clients wrote: {dict(sorted(statuses.items()))}")
        return 0 if set(statuses) <= {200, 429, 503} and not flood.errors else 1
    finally:
        shutil.rmtree(home.parent)


if __name__ == "__main__":
    sys.exit(main())
