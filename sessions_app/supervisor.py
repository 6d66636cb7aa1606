"""Keep the web server and the scheduler running, and end them together.

Standard library only: this process lives as long as the dashboard and stays small.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import subprocess
import sys
import time
from types import FrameType

PR_SET_PDEATHSIG = 1
BACK_OFF = (1, 2, 5, 15, 60)
HEALTHY_SECONDS = 60
STOP_SECONDS = 8


def end_with_parent() -> None:
    """Ask Linux for a SIGTERM when the parent dies, so that even its kill -9 leaves nobody."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


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
            sys.stderr.write(f"{self.name} ended with {self.ended_with}; again in {wait} s.\n")
            self.start_at = now + wait
        if not self.process and now >= self.start_at:
            self.started_at = now
            self.process = subprocess.Popen(
                [sys.executable, "-u", *self.command],  # a log file shows each line at once
                pass_fds=self.handles,
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


def web_server(handle: int, workers: int) -> Child:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--handle", type=int, required=True, help="the listening socket")
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--scheduler", action="store_true")
    options = parser.parse_args()
    children = [web_server(options.handle, options.workers)]
    if options.scheduler:
        children.append(scheduler())
    sys.exit(Supervisor(children).run())


if __name__ == "__main__":
    main()
