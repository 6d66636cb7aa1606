"""A scratch place for one benchmark, and commands that are measured there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.scratch import FOREIGN

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "tests" / "agents" / "samples"
SAMPLING = 0.02  # seconds
PAGE = os.sysconf("SC_PAGE_SIZE")


class Run(NamedTuple):
    """A command with everything that it started: seconds, and the memory of all at its peak."""

    out: str
    wall: float
    cpu: float
    peak: int


def make(folder: Path | None = None) -> Path:
    """Point HOME and the settings at a new folder: nobody's own sessions are read or changed."""
    place = Path(tempfile.mkdtemp(prefix="agent-sessions-bench-", dir=folder))
    for name in list(os.environ):
        if name in FOREIGN or name.startswith(("SESSIONS_", "XDG_")):
            del os.environ[name]
    home = place / "home"
    home.mkdir()
    os.environ |= {
        "HOME": str(home),
        "SESSIONS_DATA_DIR": str(place / "data"),
        "SESSIONS_ENV_FILE": os.devnull,
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
    }
    return home


def borrow(archive: Path, home: Path) -> None:
    """The files of an existing archive, as links where possible: they are only read."""
    for folder, _, names in os.walk(archive):
        target = home / Path(folder).relative_to(archive)
        target.mkdir(exist_ok=True)
        for name in names:
            _link(Path(folder, name), target / name)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def own(file: Path) -> None:
    """Make `file` a copy of itself, so that it may be changed."""
    copy = file.with_suffix(".copy")
    shutil.copy2(file, copy)
    copy.replace(file)


def manage(*arguments: str) -> Run:
    """manage.py, measured; raises CalledProcessError when it fails."""
    return measured([sys.executable, "manage.py", *arguments])


def measured(command: Sequence[str]) -> Run:
    """One command with what it starts; raises CalledProcessError when it fails."""
    before = os.times()
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    peaks = [0]
    watcher = threading.Thread(target=_watch, args=(process, peaks))
    watcher.start()
    out = process.communicate()[0]
    wall = time.perf_counter() - started
    watcher.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    after = os.times()
    cpu = (
        after.children_user - before.children_user + after.children_system - before.children_system
    )
    return Run(out, wall, cpu, max(peaks))


def _watch(process: subprocess.Popen[str], peaks: list[int]) -> None:
    while process.poll() is None:
        peaks.append(sum(_resident(pid) for pid in _family(process.pid)))
        time.sleep(SAMPLING)


def _family(pid: int) -> list[int]:
    """The process and its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            found += _family(int(child))
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0
