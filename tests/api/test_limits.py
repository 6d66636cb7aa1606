"""How fast one token may ask."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from sessions_app.api.limits import Buckets
from tests.api import taker
from tests.api.conftest import Program, code_of


def test_too_fast_is_429_with_a_time_to_wait(
    owners: Program, teammates: Program, settings: Settings
) -> None:
    settings.SESSIONS_RATE_LIMIT = 3
    statuses = [owners.get("/me").status_code for _ in range(3)]
    answer = owners.get("/me")
    assert statuses == [200, 200, 200]
    assert code_of(answer, 429) == "too_fast"
    assert int(answer["Retry-After"]) >= 1
    assert teammates.get("/me").status_code == 200


@pytest.mark.parametrize(
    ("later", "left"), [(0.0, 0), (0.15, 1), (0.35, 3), (60.0, 10), (-5.0, 10)]
)
def test_a_bucket_fills_with_time(later: float, left: int, tmp_path: Path) -> None:
    """A clock that runs backwards is that of another boot: the bucket is full again."""
    buckets = Buckets(tmp_path / "limits")
    for _ in range(10):
        assert buckets.take(7, 10, now=100.0) == 0
    assert buckets.take(7, 10, now=100.0) == pytest.approx(0.1)
    taken = [buckets.take(7, 10, now=100.0 + later) == 0 for _ in range(12)]
    assert taken.count(True) == left


def test_tokens_have_buckets_of_their_own(tmp_path: Path) -> None:
    buckets = Buckets(tmp_path / "limits")
    assert [buckets.take(who, 1, now=1.0) for who in (1, 2, -1)] == [0, 0, 0]
    assert buckets.take(1, 1, now=1.0) > 0


def test_the_limit_holds_across_processes(tmp_path: Path) -> None:
    command = [sys.executable, str(taker.__file__), str(tmp_path / "limits"), "80"]
    takers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sum(int(process.communicate(timeout=60)[0]) for process in takers) == 100
