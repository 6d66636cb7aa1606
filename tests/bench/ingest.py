"""How long the ingest takes: everything, nothing changed, one line more."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench import place
from tests.bench.place import Run

MEGA = 1_000_000
REPEATS = 3
Row = tuple[str, str]


def measure(home: Path, jobs: str | None) -> Iterator[Row]:
    """Whole commands, with the start of Python and Django."""
    place.manage("migrate", "--verbosity", "0")
    place.manage("sign_in_link")  # makes the first admin, who owns what is read
    cold = place.manage("ingest_sessions", "--json", *([] if jobs is None else ["--jobs", jobs]))
    told = json.loads(cold.out)
    read = told["bytes"]
    data = Path(os.environ["SESSIONS_DATA_DIR"])
    stored = sum(file.stat().st_size for file in data.glob("db.sqlite3*"))
    yield "read", f"{read / MEGA:.1f} MB in {told['files']['parsed']} files"
    yield "cold ingest", f"{read / MEGA / cold.wall:.1f} MB/s"
    yield "  wall", f"{cold.wall:.2f} s, of it the ingest {told['seconds']:.2f} s"
    yield "  CPU", f"{cold.cpu:.2f} s"
    yield "  peak memory", f"{cold.peak / MEGA:.0f} MB, all processes together"
    yield "database / input", f"{stored / read:.3f} ({stored / MEGA:.1f} MB)"
    yield "nothing changed", _median([_again(parsed=0) for _ in range(REPEATS)])
    if _largest(home) is not None:
        yield "one line appended", _median([_appended(home, turn) for turn in range(REPEATS)])


def _again(*, parsed: int) -> Run:
    run = place.manage("ingest_sessions", "--json")
    assert json.loads(run.out)["files"]["parsed"] == parsed, run.out
    return run


def _largest(home: Path) -> Path | None:
    files = (home / ".claude" / "projects").glob("*/*.jsonl")
    return max(files, key=lambda path: path.stat().st_size, default=None)


def _appended(home: Path, number: int) -> Run:
    append_line(home, number)
    return _again(parsed=1)


def append_line(home: Path, number: int) -> None:
    """To Claude's largest file; no words of a person or model: the truth stays what it is."""
    file = _largest(home)
    assert file is not None
    place.own(file)
    line = {
        "type": "system",
        "subtype": "informational",
        "uuid": f"appended-{number}",
        "sessionId": file.stem,
        "timestamp": "2026-11-01T12:00:00.000Z",
        "content": f"One more {number}",
    }
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(line) + "\n")


def _median(runs: Sequence[Run]) -> str:
    wall = statistics.median(run.wall for run in runs)
    cpu = statistics.median(run.cpu for run in runs)
    return f"{wall:.2f} s wall, {cpu:.2f} s CPU"
