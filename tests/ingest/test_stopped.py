"""A run that is stopped or killed at any moment leaves a store that the next run completes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from django.core.management import call_command

from sessions_app.actions.transaction import record_alone, write_transaction
from sessions_app.ingest.run import Wish, ingest
from sessions_app.models import IngestRun, RawFile, User
from tests.dump import assert_same, dump
from tests.ingest.children import ended, run, start, wait_until_nobody_writes
from tests.ingest.talks import Talk, subagent, write_subagent
from tests.invariants import check_invariants

pytestmark = pytest.mark.django_db(transaction=True)

MEGABYTE = 1024 * 1024
# How; when so many bytes are stored; and whether while we have the turn to write, which is surely
# before its end, or some moments later.
STOPS = [
    (signal.SIGKILL, 0, True),
    (signal.SIGINT, MEGABYTE, True),
    (signal.SIGKILL, MEGABYTE, False),
    (signal.SIGTERM, MEGABYTE, False),
]


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


def stop(process: subprocess.Popen[str], how: signal.Signals, wanted: int, late: float) -> None:
    """Stop it once so many bytes are stored: while we have the turn to write, or `late` after."""
    runs, is_far = IngestRun.objects.count(), False
    while not is_far:
        with write_transaction():
            record_alone()
            is_far = IngestRun.objects.count() > runs and stored_bytes() >= wanted
            if is_far and not late:
                process.send_signal(how)
        if process.poll() is not None:
            return
        time.sleep(late if is_far else 0.002)
    if late:
        process.send_signal(how)


def test_the_next_run_completes_what_stopped_ones_left(corpus: Path) -> None:
    ingest(Wish(owner=User.objects.create_superuser("boss"), home=corpus))
    check_invariants()
    undisturbed, total = dump(), stored_bytes()
    call_command("flush", interactive=False, verbosity=0)
    boss = User.objects.create_superuser("boss")
    seed = int.from_bytes(os.urandom(4), "big")
    print("seed", seed)  # a failure names its moments
    rng = random.Random(seed)
    for number, (how, wanted, is_sure) in enumerate(STOPS):
        process = start(corpus, "ingest_sessions", "--json", "--jobs", str(number % 2))
        stop(process, how, wanted, 0 if is_sure else rng.uniform(0.001, 0.06))
        code, out, _ = ended(process)
        wait_until_nobody_writes()
        stopped = 130 if how == signal.SIGINT else -how
        assert code == stopped or (code == 0 and not is_sure), (how, wanted)
        assert not is_sure or (out == "" and stored_bytes() < total)
        check_invariants()
    ingest(Wish(owner=boss, home=corpus))
    check_invariants()
    assert_same(dump(), undisturbed)
    assert set(IngestRun.objects.values_list("status", flat=True)) == {"stopped", "done"}


@pytest.mark.parametrize("bad", [["--source", "teletype"], ["--jobs", "many"], ["--no-such"]])
def test_a_bad_option_of_the_command_line_is_exit_2(tmp_path: Path, bad: list[str]) -> None:
    code, out, errors = run(tmp_path, "ingest_sessions", *bad)
    assert (code, out) == (2, "")
    assert errors.splitlines()[-1].startswith("manage.py ingest_sessions: error: ")
