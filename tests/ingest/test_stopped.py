"""A run that is stopped or killed at any moment leaves a store that the next run completes."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from django.core.management import call_command

from sessions_app.ingest.run import Wish, ingest
from sessions_app.models import IngestRun, RawFile, User
from tests.dump import assert_same, dump
from tests.ingest.children import ended, run, start, wait_until_nobody_writes
from tests.ingest.talks import Talk, subagent, write_subagent
from tests.invariants import check_invariants

pytestmark = pytest.mark.django_db(transaction=True)

MEGABYTE = 1024 * 1024
STOPS = [signal.SIGKILL, signal.SIGINT, signal.SIGKILL, signal.SIGTERM]
MOST_TRIES = 20


class Corpus:
    """Logs with forks and sub-agents, one of several parts; there can always be more to read."""

    def __init__(self, home: Path) -> None:
        self.home, self.logs = home, 0
        self.rng = random.Random(7)
        self.words = [f"{self.rng.getrandbits(64):x}" for _ in range(4000)]
        self.more(9 * MEGABYTE)

    def more(self, size: int = MEGABYTE) -> None:
        """Another log of this size, its fork and its sub-agent, in two other orders of time."""
        self.logs += 1
        parent = self._grown(Talk(f"{self.logs:08x}"[::-1]), size)
        parent.write(self.home, mtime=1_780_000_000 + self.logs)
        fork = parent.fork(f"ffff{self.logs:04}", at=6, begins=600)
        self._grown(fork, MEGABYTE // 2).write(self.home, mtime=1_780_000_100 - self.logs)
        helper = subagent(parent, f"a{self.logs}", "t")
        write_subagent(parent, helper, self.home, "t")

    def _grown(self, talk: Talk, size: int) -> Talk:
        while sum(len(line["message"]["content"]) for line in talk.lines) < size:
            talk.turns(1)
            talk.lines[-2]["message"]["content"] = " ".join(self.rng.choices(self.words, k=3000))
        return talk


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(tmp_path)


def stored_bytes() -> int:
    return sum(RawFile.objects.values_list("raw_size", flat=True))


def stop_somewhere(home: Path, how: signal.Signals, jobs: int, rng: random.Random) -> int:
    """Start a run and stop it some moments after it began or has stored something."""
    wanted, runs = stored_bytes() + rng.choice([0, 1]), IngestRun.objects.count()
    process = start(home, "ingest_sessions", "--quiet", "--jobs", str(jobs))
    while process.poll() is None and (IngestRun.objects.count() == runs or stored_bytes() < wanted):
        time.sleep(0.005)
    time.sleep(rng.uniform(0, 0.15))
    process.send_signal(how)
    code, _, _ = ended(process)
    wait_until_nobody_writes()
    return code


def test_the_next_run_completes_what_stopped_ones_left(corpus: Corpus) -> None:
    boss = User.objects.create_superuser("boss")
    seed = int.from_bytes(os.urandom(4), "big")
    print("seed", seed)  # a failure names its moments
    rng = random.Random(seed)
    for number, how in enumerate(STOPS):
        for _ in range(MOST_TRIES):
            corpus.more()
            code = stop_somewhere(corpus.home, how, number % 2, rng)
            check_invariants()
            if IngestRun.objects.latest("pk").status != "done":
                break  # else it was quicker than we
        assert code == (130 if how == signal.SIGINT else -how)
    ingest(Wish(owner=boss, home=corpus.home))
    check_invariants()
    # Nothing runs for ever; "done" there is only if the last stop left something to read.
    assert set(IngestRun.objects.values_list("status", flat=True)) <= {"stopped", "done"}
    stopped = dump()
    call_command("flush", interactive=False, verbosity=0)
    ingest(Wish(owner=User.objects.create_superuser("boss"), home=corpus.home))
    assert_same(stopped, dump())


@pytest.mark.parametrize("bad", [["--source", "teletype"], ["--jobs", "many"], ["--no-such"]])
def test_a_bad_option_of_the_command_line_is_exit_2(tmp_path: Path, bad: list[str]) -> None:
    code, out, errors = run(tmp_path, "ingest_sessions", *bad)
    assert (code, out) == (2, "")
    assert errors.splitlines()[-1].startswith("manage.py ingest_sessions: error: ")
