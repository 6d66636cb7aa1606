"""Sample sessions: invented, in the agents' own formats, with times moved close to now."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

HOME = Path(__file__).parent / "home"
NEWEST = datetime(2026, 10, 20, 6, 38, 46, tzinfo=UTC)  # the last line of all samples
AGE = timedelta(hours=1)  # of the newest session, seen from `now`

# 2026-10-18T13:04:21.158Z, the same with an offset, or naive (then: local time).
MOMENT = re.compile(r"\b(2026-10-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)?")
STARTED = re.compile(r'(?<="startedAt":)\d+')
ROLLOUT = re.compile(r"rollout-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)-(.+)")
ROLLOUT_TIME = "%Y-%m-%dT%H-%M-%S"
PLAIN = frozenset((".png", ".md", ".log"))  # artifacts: copied as they are


def copy_samples(target: Path, now: datetime) -> Path:
    """A home with the sample sessions below `target`; the newest ended an hour before `now`."""
    shift = timedelta(seconds=round((now - AGE - NEWEST).total_seconds()))
    home = target / "home"
    for path in _files():
        copy = home / _moved_name(path.relative_to(HOME), shift)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in PLAIN:
            shutil.copyfile(path, copy)
        else:
            copy.write_text(_moved(path.read_text("utf-8"), shift), "utf-8", newline="")
    return home


def _files() -> Iterator[Path]:
    return (path for path in sorted(HOME.rglob("*")) if path.is_file())


def _moved_name(path: Path, shift: timedelta) -> Path:
    """Codex keeps its sessions in folders by day, with the time in the name."""
    found = ROLLOUT.fullmatch(path.name)
    if found is None:
        return path
    written = datetime.strptime(found[1], ROLLOUT_TIME).replace(tzinfo=UTC)
    at = (written + shift).astimezone()  # in local time, as the agent names them
    days = Path(*path.parts[:-4], f"{at:%Y}", f"{at:%m}", f"{at:%d}")
    return days / f"rollout-{at.strftime(ROLLOUT_TIME)}-{found[2]}"


def _moved(text: str, shift: timedelta) -> str:
    milliseconds = int(shift.total_seconds() * 1000)
    text = STARTED.sub(lambda found: str(int(found[0]) + milliseconds), text)
    return MOMENT.sub(lambda found: _moved_time(found, shift), text)


def _moved_time(found: re.Match[str], shift: timedelta) -> str:
    told, fraction, zone = found.groups(default="")
    moment = datetime.fromisoformat(told)
    if zone:
        return (moment + shift).isoformat() + fraction + zone
    local = (moment.replace(tzinfo=UTC) + shift).astimezone()
    return local.replace(tzinfo=None).isoformat() + fraction
