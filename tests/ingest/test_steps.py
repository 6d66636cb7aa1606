"""However the files of a home grow between two readings, the store ends up the same."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from tests.dump import assert_same, dump
from tests.ingest.conftest import Read
from tests.invariants import check_invariants

pytestmark = pytest.mark.django_db

SAMPLES = Path(__file__).parents[1] / "agents" / "samples"
CASES = sorted(path.parent for path in SAMPLES.glob("*/*/expected.json"))
NEWLINE = ord("\n")
MTIME = 1_780_000_000
STEPS = 6
# Before the first time in a file the session's times are the file's, and ours are invented.
TIME = re.compile(rb"\"20\d\d-|\b1[67]\d{8}")
TRIMMED = b'"[trimmed for fixture]"'  # one id for everything: no reader can tell what is what

Texts = dict[Path, bytes]


def cuts(data: bytes) -> list[int]:
    """Byte offsets after lines and inside of lines."""
    first = TIME.search(data)
    start = data.find(b"\n", first.start() if first else 0) + 1
    ends = [start, *(at + 1 for at in range(start, len(data) - 1) if data[at] == NEWLINE)]
    inside = [(one + two) // 2 for one, two in pairwise([*ends, len(data)])]
    return sorted({*ends, *inside, max(len(data) - 1, 0)})


def at_step(texts: Texts, step: int, steps: int) -> Texts:
    """Every file, cut at its own place: the longer the later the step."""
    out = {}
    for path, data in texts.items():
        places = cuts(data)
        out[path] = data[: places[len(places) * step // steps]]
    return out


def grow(read: Read, home: Path, *states: Texts) -> dict[str, Any]:
    """What is in the store after reading in each state; it is empty again afterwards."""
    mark = transaction.savepoint()
    for state in states:
        for path, data in state.items():
            path.write_bytes(data)
            os.utime(path, (MTIME, MTIME))
        read(home, home=home, checked=False)
    check_invariants()
    found = dump()
    transaction.savepoint_rollback(mark)
    return found


@pytest.fixture
def home(case: Path, tmp_path: Path) -> Path:
    inside = case / "home" if (case / "home").is_dir() else case / "files"
    home = tmp_path / inside.name
    shutil.copytree(inside, home)
    for path in home.rglob("*"):
        if path.suffix == ".jsonl" and TRIMMED in path.read_bytes():
            path.unlink()
        else:
            os.utime(path, (MTIME, MTIME))
    return home


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_reading_in_steps_stores_what_one_reading_stores(home: Path, read: Read) -> None:
    whole = {path: path.read_bytes() for path in home.rglob("*.jsonl") if path.stat().st_size}
    at_once = grow(read, home, whole)
    ways: dict[str, Sequence[Texts]] = {
        f"{step} of {STEPS}": [at_step(whole, step, STEPS), whole] for step in (1, STEPS // 2)
    }
    ways["step by step"] = [*(at_step(whole, step, STEPS) for step in range(STEPS)), whole]
    for name, states in ways.items() if whole else ():
        assert_same(grow(read, home, *states), at_once, name)
    assert_same(grow(read, home, whole, whole), at_once, "twice")


@pytest.mark.parametrize("case", [SAMPLES / "claude-code/partial-tail"])
def test_a_file_that_grows_line_by_line(home: Path, read: Read) -> None:
    whole = {path: path.read_bytes() for path in home.rglob("*.jsonl")}
    lines = {path: data.splitlines(keepends=True) for path, data in whole.items()}
    most = max(map(len, lines.values()))
    states = [
        {path: b"".join(rows[:count]) for path, rows in lines.items()} for count in range(1, most)
    ]
    assert_same(grow(read, home, *states, whole), grow(read, home, whole))
