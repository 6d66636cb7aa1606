"""Commands and writers in processes of their own, on the database of the test."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

PATIENCE = 60  # seconds until a test gives up waiting for what must come


def surroundings(home: Path) -> dict[str, str]:
    """The environment of a child that works on the test's database."""
    name, host = connection.settings_dict["NAME"], connection.settings_dict.get("HOST")
    place = f"sqlite:///{name}"
    url = place if connection.vendor == "sqlite" else f"postgres://postgres@/{host}/{name}"
    own = {"DATABASE_URL": url, "HOME": str(home), "DJANGO_SETTINGS_MODULE": "dashboard.settings"}
    return {**os.environ, **own}


def start(home: Path, *arguments: str, **changed: str) -> subprocess.Popen[str]:
    """A command of manage.py that runs beside the test; `changed`: more of its environment."""
    return _child(home, settings.BASE_DIR / "manage.py", *arguments, **changed)


def start_module(home: Path, name: str, *arguments: str) -> subprocess.Popen[str]:
    """A module of the tests that runs beside the test."""
    return _child(home, "-m", name, *arguments)


def _child(home: Path, *arguments: str | Path, **changed: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=settings.BASE_DIR, env=surroundings(home) | changed,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run(home: Path, *arguments: str, **changed: str) -> tuple[int, str, str]:
    """A command of manage.py: exit code, output and errors."""
    return ended(start(home, *arguments, **changed))


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Its exit code, output and errors, once it and its children have gone."""
    with process:
        out, err = process.communicate()
    return process.returncode, out, err


def wait_until_nobody_writes() -> None:
    """What a killed client had sent, its PostgreSQL still executes: until that has ended."""
    if connection.vendor != "postgresql":
        return
    at_work: dict[str, Any] = {"count": 1}
    deadline = time.monotonic() + PATIENCE
    while at_work["count"]:
        assert time.monotonic() < deadline, at_work
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*), min(query) FROM pg_stat_activity WHERE state <> 'idle'"
                " AND datname = current_database() AND pid <> pg_backend_pid()"
            )
            at_work = dict(zip(("count", "query"), cursor.fetchone(), strict=True))
        time.sleep(0.005)
