"""Beside agentsview (a program from PyPI, if it is there): in turn, in one run, on one archive."""

from __future__ import annotations

import json
import os
import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path

from tests.bench import place
from tests.bench.ingest import MEGA
from tests.bench.place import Run

TURNS = 3
QUIET = {"AGENTSVIEW_NO_DAEMON": "1", "DO_NOT_TRACK": "1"}
Row = tuple[str, str, str, str]


def measure(home: Path, peer: str) -> Iterator[Row]:
    """Rows of (what, ours, theirs, ratio); medians of `TURNS` turns, ours first in each."""
    ours: list[tuple[Run, Run]] = []
    theirs: list[tuple[Run, Run]] = []
    os.environ |= QUIET
    size = 0
    for _ in range(TURNS):
        ours.append(_ours())
        size = json.loads(ours[-1][0].out)["bytes"]
        shutil.rmtree(home / ".agentsview", ignore_errors=True)
        theirs.append((place.measured([peer, "sync"]), place.measured([peer, "sync"])))
    for index, what in enumerate(("cold ingest", "nothing changed")):
        pair = [[turn[index] for turn in turns] for turns in (ours, theirs)]
        wall = [statistics.median(run.wall for run in runs) for runs in pair]
        cpu = [statistics.median(run.cpu for run in runs) for runs in pair]
        if index == 0:
            speed = [f"{size / MEGA / seconds:.1f} MB/s" for seconds in wall]
            yield f"{what} of {size / MEGA:.0f} MB", speed[0], speed[1], f"{wall[1] / wall[0]:.2f}"
        yield _row(f"{what}, wall", *wall)
        yield _row(f"{what}, CPU", *cpu)
    peaks = [max(turn[0].peak for turn in turns) / MEGA for turns in (ours, theirs)]
    yield "peak memory", f"{peaks[0]:.0f} MB", f"{peaks[1]:.0f} MB", f"{peaks[1] / peaks[0]:.2f}"
    sizes = [_size(Path(os.environ["SESSIONS_DATA_DIR"])), _size(home / ".agentsview")]
    stored = [f"{bytes_ / size:.3f}" for bytes_ in sizes]
    yield "database / input", stored[0], stored[1], f"{sizes[1] / sizes[0]:.2f}"


def _ours() -> tuple[Run, Run]:
    shutil.rmtree(os.environ["SESSIONS_DATA_DIR"], ignore_errors=True)
    place.manage("migrate", "--verbosity", "0")
    place.manage("sign_in_link")
    return place.manage("ingest_sessions", "--json"), place.manage("ingest_sessions", "--json")


def _row(what: str, ours: float, theirs: float) -> Row:
    return what, f"{ours:.2f} s", f"{theirs:.2f} s", f"{theirs / ours:.2f}"


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
