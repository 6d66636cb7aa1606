"""Commands and writers in processes of their own, on the database of the test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection


def surroundings(home: Path) -> dict[str, str]:
    """The environment of a child that works on the test's database."""
    name, host = connection.settings_dict["NAME"], connection.settings_dict.get("HOST")
    place = f"sqlite:///{name}"
    url = place if connection.vendor == "sqlite" else f"postgres://postgres@/{host}/{name}"
    own = {"DATABASE_URL": url, "HOME": str(home), "DJANGO_SETTINGS_MODULE": "dashboard.settings"}
    return {**os.environ, **own}


def start(home: Path, *arguments: str, **more: Any) -> subprocess.Popen[str]:
    """A command of manage.py that runs beside the test."""
    return subprocess.Popen(
        [sys.executable, settings.BASE_DIR / "manage.py", *arguments],
        env=surroundings(home), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
    )  # fmt: skip


def run(home: Path, *arguments: str) -> tuple[int, str, str]:
    """A command of manage.py: exit code, output and errors."""
    with start(home, *arguments) as process:
        out, err = process.communicate()
    return process.returncode, out, err
