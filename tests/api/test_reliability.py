"""Promises that hold while workers die, locks run out and everybody comes at once.

Through `manage.py serve` with four workers. TEST_RELIABILITY_SECONDS=20 makes it as long as the
promises are told for; the usual run is shorter.
"""

from __future__ import annotations

import gzip
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import connection
from django.utils import timezone

from sessions_app.actions.api_tokens import create_token
from sessions_app.models import AuditEntry, Message, User
from tests.api import racer
from tests.api.over_http import Caller, Reply, all_at_once
from tests.invariants import check_invariants
from tests.serving import Served, free_port

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = float(os.environ.get("TEST_RELIABILITY_SECONDS", "4"))
STOPS = max(2, round(SECONDS / 4))
CLIENTS = 8
# 40 MB of nothing, in 40 kB.
BOMB = gzip.compress(bytes(40_000_000))
WORKERS = 4


def database_url() -> str:
    """Of the tests' own database, so that they see what the server wrote."""
    told = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{told['NAME']}"
    return f"postgres://postgres@/{told['HOST']}/{told['NAME']}"


def serve(data: Path, port: int) -> Served:
    served = Served(data, port, "--no-scheduler", "--workers", str(WORKERS),
                    database=database_url())  # fmt: skip
    assert served.get("/readyz")[0] == 200
    return served


@pytest.fixture(scope="module")
def server(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """One for all tests here: whatever they do to it, it is as good as new afterwards."""
    with django_db_blocker.unblock():
        served = serve(tmp_path_factory.mktemp("reliable") / "data", free_port())
    yield served
    stop(served)


@pytest.fixture
def callers(server: Served, owner: User) -> list[Caller]:
    return callers_of(server, owner)


def callers_of(server: Served, owner: User, count: int = CLIENTS) -> list[Caller]:
    port = int(server.address.rsplit(":", 1)[1])
    secrets = [
        create_token(owner, name=f"c{number}", scopes=["read", "write"], by=owner,
                     now=timezone.now())[1]
        for number in range(count)
    ]  # fmt: skip
    return [Caller(port, secret) for secret in secrets]


def new_session(caller: Caller) -> str:
    reply = caller.insist("POST", "/sessions", {"backend": "claude"}, Idempotency_Key="make")
    assert reply.status == 201, reply.body
    return str(reply.json["id"])


def said(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text, "usage": {"input": 3, "output": 1}}]}


class Writer:
    """A client that appends to its own session and to one that all share, and keeps a book."""

    def __init__(self, caller: Caller, number: int, shared: str) -> None:
        self.caller, self.number = caller, number
        self.paths = [f"/sessions/{id}/messages" for id in (new_session(caller), shared)]
        self.answered: dict[tuple[str, int], str] = {}  # (session, seq) -> text

    def write(self, is_over: Callable[[], bool]) -> None:
        for count in itertools.count():
            if is_over():
                return
            path = self.paths[count % 2]
            text = f"{self.number}-{count}"
            reply = self.caller.insist("POST", path, said(text), Idempotency_Key=f"w-{text}")
            assert reply.status == 200, reply.body
            place = (path.split("/")[2], reply.json["last_seq"])
            assert place not in self.answered
            self.answered[place] = text


def write_all(writers: list[Writer], is_over: Callable[[], bool]) -> list[Callable[[], None]]:
    return [partial(writer.write, is_over) for writer in writers]


def check_books(writers: list[Writer]) -> None:
    """What was answered is stored, where it was said to be, once; and nothing else is."""
    told: dict[tuple[str, int], str] = {}
    for writer in writers:
        assert told.keys().isdisjoint(writer.answered)
        told |= writer.answered
    rows = Message.objects.values_list("session__short_id", "seq", "text")
    assert {(id, seq): text for id, seq, text in rows} == told
    check_invariants()


def workers_of(server: Served) -> list[psutil.Process]:
    return [child for child in server.child("gunicorn").children()
            if child.status() != psutil.STATUS_ZOMBIE]  # fmt: skip


def kill_workers(server: Served, until: float) -> int:
    killed = 0
    while time.monotonic() < until:
        time.sleep(0.5)
        if workers := workers_of(server):
            random.choice(workers).kill()
            killed += 1
    return killed


def test_killed_workers_lose_double_and_mix_up_nothing(
    server: Served, callers: list[Caller]
) -> None:
    shared = new_session(callers[0])
    writers = [Writer(caller, number, shared) for number, caller in enumerate(callers)]
    until = time.monotonic() + SECONDS
    killed: list[int] = []
    all_at_once(
        lambda: killed.append(kill_workers(server, until)),
        *write_all(writers, lambda: time.monotonic() > until),
    )
    check_books(writers)
    print(f"{killed[0]} kills, {sum(len(writer.answered) for writer in writers)} answered,",
          f"{sum(caller.unanswered for caller in callers)} unanswered,",
          f"{sum(caller.replays for caller in callers)} replayed")  # fmt: skip
    assert killed[0] >= SECONDS
    assert all(writer.answered for writer in writers)


def test_one_key_from_eight_processes_is_one_message(callers: list[Caller]) -> None:
    rounds = 50
    path = f"/sessions/{new_session(callers[0])}/messages"
    command = [sys.executable, str(racer.__file__), str(callers[0].port), callers[0].secret, path]
    racers = [
        subprocess.Popen([*command, str(rounds)], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)
        for _ in range(CLIENTS)
    ]  # fmt: skip
    for process in racers:
        assert process.stdout and process.stdout.readline() == "ready\n"
    told = []
    for process in racers:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in racers:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        told.append([json.loads(line) for line in out.splitlines()])
    for answers in zip(*told, strict=True):
        assert all(answer == answers[0] for answer in answers)
        assert answers[0][0] == 200
    texts = Message.objects.values_list("text", flat=True)
    assert sorted(texts) == sorted(f"round {number}" for number in range(rounds))
    check_invariants()


class Contender:
    """Takes the lock, dawdles, writes under it, and does not always give it back."""

    def __init__(self, caller: Caller, number: int, path: str) -> None:
        self.caller, self.path = caller, path
        self.holder = f"holder-{number}"
        self.outcomes: Counter[str] = Counter()
        self.random = random.Random(number)

    def contend(self, until: float) -> None:
        while time.monotonic() < until:
            wish = {"holder": self.holder, "ttl": 0.15, "wait": 1}
            lock = self.caller.ask("POST", f"{self.path}/lock", wish)
            self.outcomes[f"lock {lock.status}"] += 1
            assert lock.status in (200, 423), lock.body
            if lock.status == 200:
                self.write(str(lock.json["fence"]))

    def write(self, fence: str) -> None:
        for _ in range(2):
            time.sleep(self.random.random() * 0.12)
            reply = self.caller.ask("POST", f"{self.path}/messages", said(fence), X_Fence=fence)
            self.outcomes[f"write {reply.status}"] += 1
            assert reply.status in (200, 409), reply.body
        if self.random.random() < 0.5:
            reply = self.caller.ask("DELETE", f"{self.path}/lock", X_Fence=fence)
            assert reply.status in (204, 409), reply.body


def test_no_stale_holder_of_a_lock_writes(callers: list[Caller]) -> None:
    path = f"/sessions/{new_session(callers[0])}"
    contenders = [Contender(caller, number, path) for number, caller in enumerate(callers)]
    until = time.monotonic() + SECONDS
    all_at_once(*(partial(one.contend, until) for one in contenders))
    outcomes = sum((one.outcomes for one in contenders), Counter[str]())
    print(dict(outcomes))
    fences = [int(text) for text in Message.objects.order_by("seq").values_list("text", flat=True)]
    assert fences == sorted(fences)  # two holders' writes would alternate
    assert len(fences) == outcomes["write 200"]
    assert outcomes["write 409"] > 0
    assert AuditEntry.objects.filter(action="lease.take_over").exists()
    check_invariants()


def test_a_stop_finishes_or_refuses_what_is_under_way(owner: User, tmp_path: Path) -> None:
    """The whole server is stopped and started again while clients write."""
    port, data = free_port(), tmp_path / "data"
    running = [serve(data, port)]
    callers = callers_of(running[0], owner, 4)
    shared = new_session(callers[0])
    writers = [Writer(caller, number, shared) for number, caller in enumerate(callers)]

    over = threading.Event()

    def stop_and_start() -> None:
        try:
            for _ in range(STOPS):
                time.sleep(0.5 + random.random())
                stop(running.pop())
                running.append(serve(data, port))
        finally:
            over.set()

    all_at_once(stop_and_start, *write_all(writers, over.is_set))
    stop(running.pop())
    check_books(writers)
    print(f"{STOPS} stops, {sum(len(writer.answered) for writer in writers)} answered,",
          f"{sum(caller.replays for caller in callers)} replayed")  # fmt: skip
    assert sum(caller.broken for caller in callers) == 0
    assert sum(caller.unanswered for caller in callers) > 0


def stop(served: Served) -> None:
    family = served.family()
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(timeout=60) == 0
    assert psutil.wait_procs(family, timeout=5)[1] == []


class Flooder:
    """Sends whatever programs send, wrong things too, as fast as it can."""

    def __init__(self, caller: Caller, number: int, path: str) -> None:
        self.caller, self.number, self.path = caller, number, path
        self.statuses: Counter[int] = Counter()
        self.answered: list[str] = []

    def flood(self, until: float) -> None:
        for count in itertools.count():
            if time.monotonic() > until:
                return
            match count % 6:
                case 1:  # the key of the last message, for another one
                    self._send(count - 1, f"other-{self.number}-{count}")
                case 2 if self.number % 8 == 0:
                    self._note(self.caller.ask("POST", self.path, BOMB, Content_Encoding="gzip"))
                case 3:
                    self._note(self.caller.ask("GET", f"{self.path}?last=10"))
                case _:
                    self._send(count, f"{self.number}-{count}")

    def _send(self, key: int, text: str) -> None:
        name = f"f-{self.number}-{key}"
        if self._note(self.caller.ask("POST", self.path, said(text), Idempotency_Key=name)):
            self.answered.append(text)

    def _note(self, reply: Reply) -> bool:
        self.statuses[reply.status] += 1
        assert reply.status in (200, 409, 413, 429, 503), reply.body
        if reply.status in (429, 503):
            assert int(reply.headers["Retry-After"]) >= 1
        return reply.status == 200


def test_a_flood_is_refused_where_it_is_too_much_and_loses_nothing(callers: list[Caller]) -> None:
    """Four times as many clients as the server has threads; the most share one token."""
    path = f"/sessions/{new_session(callers[0])}/messages"
    flooders = [
        Flooder(callers[number % 4 and 1 + number % 3], number, path)
        for number in range(4 * WORKERS * 4)
    ]
    until = time.monotonic() + SECONDS
    all_at_once(*(partial(flooder.flood, until) for flooder in flooders))
    statuses = sum((flooder.statuses for flooder in flooders), Counter[int]())
    print(dict(statuses))
    answered = [text for flooder in flooders for text in flooder.answered]
    texts = list(Message.objects.values_list("text", flat=True))
    assert sorted(texts) == sorted(answered)
    assert {200, 409, 413} <= set(statuses)
    check_invariants()
