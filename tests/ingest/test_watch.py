"""A watch reads what changes when it changes, and does nothing in between."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sessions_app.ingest.report import Report
from sessions_app.ingest.run import Wish
from sessions_app.ingest.watch import Watch, look_soon
from sessions_app.models import AgentSession, ExcludeRule, IngestRun, Message, User
from tests.factories import NOON
from tests.ingest.talks import Talk
from tests.invariants import check_invariants

pytestmark = pytest.mark.django_db

Until = Callable[..., list[Report]]
PATIENCE = 60


@pytest.fixture(params=[True, False], ids=["events", "polling"])
def watch(request: pytest.FixtureRequest, owner: User, home: Path) -> Iterator[Watch]:
    """Of a home, by events and by polling."""
    said: list[str] = []
    it = Watch(
        Wish(owner=owner, home=home, jobs=0, host="here"), said.append, use_events=request.param
    )
    yield it
    it.close()
    assert said == []


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".claude" / "projects").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def until(watch: Watch) -> Until:
    """Goes on until something holds; gives what was looked at on the way."""

    def run(holds: Callable[[], object]) -> list[Report]:
        looks, deadline = [], time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline
            report = watch.step(5)
            looks += [report] if report else []
        check_invariants()
        return looks

    return run


def rest(watch: Watch, rounds: int = 3) -> list[Report]:
    """What is looked at while nothing happens."""
    return [report for _ in range(rounds) if (report := watch.step(1))]


def count() -> int:
    return Message.objects.count()


def test_a_line_is_read_alone_and_leaves_no_run(watch: Watch, until: Until, home: Path) -> None:
    talk = Talk("aaaaaaaa").turns(1)
    path = talk.write(home)
    Talk("bbbbbbbb").turns(1).write(home)
    until(lambda: count() == 4)
    rest(watch)
    runs = IngestRun.objects.count()
    whole = talk.turns(1).data()
    path.write_bytes(whole)
    looks = until(lambda: count() == 6)
    assert [(report.seen, report.parsed) for report in looks if report.parsed] == [(1, 1)]
    assert IngestRun.objects.count() == runs


def test_nothing_is_looked_at_while_nothing_changes(watch: Watch, until: Until, home: Path) -> None:
    Talk("aaaaaaaa").turns(1).write(home)
    until(lambda: count() == 2)
    rest(watch)
    assert rest(watch) == []


def test_a_torn_line_waits_for_its_end(watch: Watch, until: Until, home: Path) -> None:
    talk = Talk("aaaaaaaa").turns(1)
    path = talk.write(home)
    until(lambda: count() == 2)
    rest(watch)
    more = talk.turns(1).data()
    path.write_bytes(more[:-40])
    until(lambda: count() == 3)
    path.write_bytes(more)
    until(lambda: count() == 4)


def test_folders_that_come_later_and_go(watch: Watch, until: Until, home: Path) -> None:
    shutil.rmtree(home / ".claude")
    assert rest(watch, 2)[0].seen == 0
    Talk("aaaaaaaa").turns(1).write(home)
    until(lambda: count() == 2)
    shutil.rmtree(home / ".claude")
    rest(watch)
    assert count() == 2
    Talk("bbbbbbbb").turns(1).write(home)
    until(lambda: count() == 4)


def test_a_file_that_is_replaced_by_another(watch: Watch, until: Until, home: Path) -> None:
    path = Talk("aaaaaaaa").turns(2).write(home)
    until(lambda: count() == 4)
    rest(watch)
    other = path.with_name("new.tmp")
    lines = path.read_bytes().splitlines(keepends=True)
    other.write_bytes(b"".join(lines[:2]) + b"\n" * 3)
    other.replace(path)
    until(lambda: count() == 2)


def test_what_is_excluded_meanwhile_is_not_read(
    watch: Watch, until: Until, home: Path, owner: User
) -> None:
    talk = Talk("aaaaaaaa").turns(1)
    path = talk.write(home)
    until(lambda: count() == 2)
    rest(watch)
    ExcludeRule.objects.create(pattern=path.name, created_by=owner, created_at=NOON)
    path.write_bytes(talk.turns(1).data())
    rest(watch)
    assert count() == 2


def test_somebody_asks_for_a_look(watch: Watch, until: Until, home: Path) -> None:
    Talk("aaaaaaaa").turns(1).write(home)
    until(lambda: count() == 2)
    rest(watch)
    before = watch.due.at
    look_soon()
    assert [look.seen for look in until(lambda: watch.due.at > before)] == [1]
    assert AgentSession.objects.count() == 1
