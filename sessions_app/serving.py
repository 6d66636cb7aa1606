"""Keep the web server and the scheduler running, and end them together."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

logger = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
BACK_OFF = (1, 2, 5, 15, 60)
HEALTHY_SECONDS = 60
STOP_SECONDS = 8


def end_with_parent() -> None:
    """Ask Linux for a SIGTERM when the parent dies, so that even its kill -9 leaves nobody."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def listen(host: str, port: int) -> socket.socket:
    """The listening socket, or OSError when the port is busy; gunicorn inherits it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def public_address(host: str, port: int) -> str:
    """Where a person opens the dashboard."""
    if settings.CSRF_TRUSTED_ORIGINS:
        return str(settings.CSRF_TRUSTED_ORIGINS[0])
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host).strip("[]")
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def collect_static() -> None:
    """Collect and compress the static files, unless they are those of the last start."""
    mark = Path(settings.STATIC_ROOT) / ".collected"
    found = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            source = os.stat(storage.path(name))
            found.update(f"{name} {source.st_size} {source.st_mtime_ns}\n".encode())
    if mark.exists() and mark.read_text(encoding="ascii") == found.hexdigest():
        return
    call_command("collectstatic", verbosity=0, interactive=False)
    mark.write_text(found.hexdigest(), encoding="ascii")


class Child:
    """A process that is started again, later each time, when it ends."""

    def __init__(self, name: str, command: list[str], handles: tuple[int, ...] = ()) -> None:
        self.name = name
        self.command = command
        self.handles = handles
        self.process: subprocess.Popen[bytes] | None = None
        self.ended_with: int | None = None
        self.failures = 0
        self.start_at = self.started_at = 0.0

    def keep(self) -> None:
        now = time.monotonic()
        if self.process and self.process.poll() is not None:
            self.ended_with, self.process = self.process.returncode, None
            self.failures = 0 if now - self.started_at > HEALTHY_SECONDS else self.failures + 1
            wait = BACK_OFF[min(self.failures, len(BACK_OFF) - 1)]
            logger.warning("%s ended with %s; next try in %s s.", self.name, self.ended_with, wait)
            self.start_at = now + wait
        if not self.process and now >= self.start_at:
            self.started_at = now
            self.process = subprocess.Popen(
                [sys.executable, *self.command],
                pass_fds=self.handles,
                cwd=settings.BASE_DIR,
                # A group of its own: Ctrl-C reaches only us, and we end the children in order.
                process_group=0,
            )

    def end(self, deadline: float) -> None:
        if not self.process:
            return
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def scheduler() -> Child:
    return Child("The scheduler", ["manage.py", "scheduler"])


def web_server(listener: socket.socket, workers: int) -> Child:
    handle = listener.fileno()
    options = ["--config", "python:dashboard.gunicorn_conf", "--bind", f"fd://{handle}"]
    command = ["-m", "gunicorn", *options, "--workers", str(workers), "dashboard.wsgi"]
    return Child("gunicorn", command, (handle,))


class Supervisor:
    """Keeps the children until a signal comes, or until the first of them gives up by itself."""

    def __init__(self, children: list[Child]) -> None:
        self.children = children
        self.stopping = False

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self.stopping and not self._gave_up():
            for child in self.children:
                child.keep()
            time.sleep(0.2)
        self._end()
        return 0 if self.stopping else 1

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _gave_up(self) -> bool:
        """A web server that cannot even load the application says so by its exit code."""
        ended_with = self.children[0].ended_with
        return ended_with is not None and ended_with > 0

    def _end(self) -> None:
        for child in self.children:
            if child.process:
                child.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children:
            child.end(deadline)
