"""Whether a process that an agent noted is still the one that runs under that number."""

from __future__ import annotations

import os
import re
from pathlib import Path

PROC = Path("/proc")
SLACK_MS = 60_000


def is_running(pid: object, ticks: object = None, noted_ms: object = None) -> bool:
    """`ticks`: its start in clock ticks since boot; `noted_ms`: when it was noted, epoch in ms.

    Numbers are used again, after a reboot always, so a process that began otherwise or after
    the note is another one. Either may be unknown.
    """
    if isinstance(pid, bool) or not isinstance(pid, int) or not 0 < pid < 2**31:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    began = started_ticks(pid)
    if began is None:
        return True
    if isinstance(ticks, int | str):
        return str(ticks) == str(began)
    return not isinstance(noted_ms, int) or epoch_ms(began) <= noted_ms + SLACK_MS


def epoch_ms(ticks: int) -> float:
    """When a process began that started so many clock ticks after boot."""
    boot = re.search(r"^btime (\d+)$", (PROC / "stat").read_text(), re.MULTILINE)
    return (int(boot[1]) if boot else 0) * 1000 + ticks * 1000 / os.sysconf("SC_CLK_TCK")


def started_ticks(pid: int) -> int | None:
    """Field 22 of /proc/<pid>/stat; None where the system has no such file."""
    try:
        text = (PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return None
    # The name in parentheses may itself hold spaces and parentheses.
    fields = text.rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 else None
