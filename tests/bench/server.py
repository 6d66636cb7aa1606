"""A real server for a benchmark, and writers that cost it as little as they can."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.bench.place import ROOT

HOST = "127.0.0.1"


class Answer(NamedTuple):
    status: int
    body: bytes


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


@contextmanager
def serving(workers: int = 2) -> Iterator[int]:
    """`manage.py serve` as people run it, without the scheduler; gives the port."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve", "--no-scheduler", "--port", str(port),
         "--workers", str(workers)],
        cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "SESSIONS_RATE_LIMIT": "1000000"},
    )  # fmt: skip
    try:
        _wait_until_it_answers(process, port)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    for _try in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"serve ended with {process.returncode}")
        try:
            if Connection(port).ask("GET", "/healthz", {}).status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("serve does not answer")


class Connection:
    """HTTP/1.1 with keep-alive, and nothing that a benchmark does not need."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        return self._answer()

    def _answer(self) -> Answer:
        data = self.rest
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, rest = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        while len(rest) < length:
            rest += self._more()
        self.rest = rest[length:]
        return Answer(int(head.split(b" ", 2)[1]), rest[:length])

    def _more(self) -> bytes:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server hung up")
        return data
