"""A run that is stopped or killed at any moment leaves a store that the next run completes."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from django.core.management import call_command

from sessions_app.models import IngestRun, RawFile, User
from tests.dump import assert_same, dump
from tests.ingest.children import run, start
from tests.ingest.talks import Talk, subagent, write_subagent
from tests.invariants import check_invariants

pytestmark = pytest.mark.django_db(transaction=True)

MEGABYTE = 1024 * 1024
STOPS = [signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGKILL]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Some 18 MB: one log of several parts, and twenty smaller ones with forks and sub-agents."""
    rng = random.Random(7)
    words = [f"{rng.getrandbits(64):x}" for _ in range(4000)]

    def grown(talk: Talk, size: int) -> Talk:
        while sum(len(line["message"]["content"]) for line in talk.lines) < size:
            talk.turns(1)
            talk.lines[-2]["message"]["content"] = " ".join(rng.choices(words, k=3000))
        return talk

    grown(Talk("00000000"), 9 * MEGABYTE).write(tmp_path, mtime=1_780_000_000)
    for number in range(10):
        parent = grown(Talk(f"{number:08x}"[::-1]), MEGABYTE // 2)
        parent.write(tmp_path, mtime=1_780_000_001 + number)
        fork = grown(parent.fork(f"ffff{number:04}", at=6, begins=600), MEGABYTE // 4)
        fork.write(tmp_path, mtime=1_780_000_100 - number)
        write_subagent(parent, subagent(parent, f"a{number}", "t"), tmp_path, "t")
    return tmp_path


def stored_bytes() -> int:
    return sum(RawFile.objects.values_list("raw_size", flat=True))


def stop_somewhere(home: Path, how: signal.Signals, jobs: str, rng: random.Random) -> int:
    """Start a run and stop it when it has stored a little more, or before."""
    have, runs = stored_bytes(), IngestRun.objects.count()
    wanted = rng.choice([0, 1, 4 * MEGABYTE])
    with start(home, "ingest_sessions", "--json", "--jobs", jobs) as process:
        while process.poll() is None and (
            IngestRun.objects.count() == runs or stored_bytes() < have + wanted
        ):
            time.sleep(0.005)
        time.sleep(rng.random() * 0.15)
        process.send_signal(how)
        process.communicate()
    return process.returncode


def test_the_next_run_completes_what_stopped_ones_left(corpus: Path) -> None:
    User.objects.create_superuser("boss")
    assert run(corpus, "ingest_sessions", "--quiet")[0] == 0
    check_invariants()
    undisturbed = dump()
    call_command("flush", interactive=False, verbosity=0)
    User.objects.create_superuser("boss")
    seed = int.from_bytes(os.urandom(4), "big")
    print("seed", seed)  # a failure names its moments
    rng = random.Random(seed)
    for number, how in enumerate(STOPS):
        code = stop_somewhere(corpus, how, str(number % 2), rng)
        assert code in (0, 130 if how == signal.SIGINT else -how)
        check_invariants()
    assert run(corpus, "ingest_sessions", "--quiet") == (0, "", "")
    check_invariants()
    assert_same(dump(), undisturbed)
    assert not IngestRun.objects.filter(status="running").exists()


@pytest.mark.parametrize("bad", [["--source", "teletype"], ["--jobs", "many"], ["--no-such"]])
def test_a_bad_option_of_the_command_line_is_exit_2(tmp_path: Path, bad: list[str]) -> None:
    code, out, errors = run(tmp_path, "ingest_sessions", *bad)
    assert (code, out) == (2, "")
    assert errors.splitlines()[-1].startswith("manage.py ingest_sessions: error: ")
