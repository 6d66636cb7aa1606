"""How long the server takes for a page, how many queries, how many bytes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import NamedTuple

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from sessions_app.actions.people import first_admin
from sessions_app.models import AgentSession
from sessions_app.serving import collect_static

REQUESTS = 100
WARM_UP = 5


class Page(NamedTuple):
    name: str
    p50: float  # milliseconds of wall time
    p95: float
    cpu: float  # milliseconds, median: what a busy machine does not change
    queries: int
    size: int  # bytes of HTML, not compressed


def measure() -> Iterator[Page]:
    """As the first admin, through the whole stack of middleware, in this process."""
    collect_static()
    client = Client(SERVER_NAME="localhost")
    client.force_login(first_admin(), backend="django.contrib.auth.backends.ModelBackend")
    by_length = AgentSession.objects.order_by("-message_count", "pk")
    longest, typical = by_length[0], by_length[by_length.count() // 2]
    sessions = reverse("session_list")
    for name, address in {
        "overview": reverse("overview"),
        "list of 50": sessions,
        "list, filtered": f"{sessions}?backend=codex&status=completed&sort=-tokens",
        f"transcript, {longest.message_count} messages": f"{sessions}{longest.short_id}/",
        f"transcript, {typical.message_count} messages": f"{sessions}{typical.short_id}/",
    }.items():
        yield _measured(client, name, address)


def _measured(client: Client, name: str, address: str) -> Page:
    for _ in range(WARM_UP):
        response = client.get(address)
        assert response.status_code == 200, f"{address}: {response.status_code}"
    wall, cpu = [], []
    for _ in range(REQUESTS):
        started = time.perf_counter(), time.process_time()
        client.get(address)
        wall.append(1000 * (time.perf_counter() - started[0]))
        cpu.append(1000 * (time.process_time() - started[1]))
    with CaptureQueriesContext(connection) as queries:
        size = len(client.get(address).content)
    p95 = statistics.quantiles(wall, n=20)[-1]
    return Page(name, statistics.median(wall), p95, statistics.median(cpu), len(queries), size)
