"""Programs that speak to a real server and never give up: as an agent's own code would."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

PATIENCE = 60.0  # seconds after which a server that answers nothing is broken
TRY_AGAIN = {429, 503}


class Gone(Exception):
    """The server hung up before it had answered: whether it has written is not known."""


class Broken(Gone):
    """It hung up in the middle of an answer, as only killed servers do."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Caller:
    """A program with a token; addresses are relative to /api/v1."""

    port: int
    secret: str
    replays: int = 0
    unanswered: int = 0
    broken: int = 0
    refused: list[Reply] = field(default_factory=list)

    def ask(self, method: str, address: str, body: Any = None, **headers: str) -> Reply:
        """Once."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        names |= {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"}
        try:
            connection.request(method, f"/api/v1{address}", data, names)
            response = connection.getresponse()
            return Reply(response.status, dict(response.headers), response.read())
        except (http.client.IncompleteRead, http.client.BadStatusLine) as error:
            # A server that says nothing at all counts as a bad status line, too.
            hung_up = isinstance(error, http.client.RemoteDisconnected)
            raise (Gone if hung_up else Broken) from error
        except ConnectionError as error:
            raise Gone from error
        finally:
            connection.close()

    def insist(self, method: str, address: str, body: Any = None, **headers: str) -> Reply:
        """Again until there is an answer; the headers hold an Idempotency-Key."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                reply = self.ask(method, address, body, **headers)
            except Gone as error:
                self.unanswered += 1
                self.broken += isinstance(error, Broken)
            else:
                if reply.status not in TRY_AGAIN:
                    self.replays += "Idempotency-Replayed" in reply.headers
                    return reply
                self.refused.append(reply)
            if time.monotonic() > deadline:
                raise AssertionError("nobody answers any more")
            time.sleep(0.02 + random.random() * 0.1)


def all_at_once(*acts: Callable[[], object]) -> None:
    """Each in a thread of its own; the first error of any of them is raised."""
    errors: list[BaseException] = []

    def run(act: Callable[[], object]) -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 (told by whoever waits for the threads)
            errors.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
