"""`manage.py serve` for tests: a port, a data folder and a database of its own."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
from django.conf import settings

from sessions_app.supervisor import end_with_parent

QUICK = {"SESSIONS_INGEST_SECONDS": "1"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Served:
    """`manage.py serve` on a port, a data folder and a database of its own."""

    def __init__(
        self, data: Path, port: int, *options: str, database: str = "", home: Path | None = None
    ) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.home = home
        self.log = data.parent / "serve.log"
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", *options],
                cwd=settings.BASE_DIR,
                env={
                    **{key: text for key, text in os.environ.items() if key != "PYTHONUNBUFFERED"},
                    **QUICK,
                    **({"HOME": str(home)} if home else {}),
                    "DATABASE_URL": database,
                    "DJANGO_SETTINGS_MODULE": "dashboard.settings",
                    "SESSIONS_DATA_DIR": str(data),
                    "PORT": str(port),
                },
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                # Also when the fixture that started it fails before its end.
                preexec_fn=end_with_parent,
            )

    def get(self, path: str, patience: float = 180) -> tuple[int, str]:
        deadline = time.monotonic() + patience
        while True:
            try:
                with urllib.request.urlopen(self.address + path, timeout=10) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read().decode()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(self.log.read_text()) from None
                time.sleep(0.1)

    def child(self, name: str, patience: float = 60) -> psutil.Process:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            for child in psutil.Process(self.process.pid).children():
                if name in child.cmdline():
                    return child
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=10)

    @property
    def link(self) -> str:
        """The sign-in link that it printed."""
        found = re.search(rf"{self.address}/sign-in/\S+/", self.log.read_text())
        assert found, self.log.read_text()
        return found[0]
