"""Forks, sub-agents and copied homes: the same links and owners, whoever is read first."""

from __future__ import annotations

import shutil
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from sessions_app.models import AgentSession, Relation, Usage, UsageRollup, User
from tests.dump import assert_same, dump
from tests.ingest.conftest import Read
from tests.ingest.talks import Talk, subagent, write_subagent

pytestmark = pytest.mark.django_db


def family() -> dict[str, Talk]:
    """Three generations: the grandchild leaves the child behind the child's own lines; the
    niece leaves it before them, and so left the parent."""
    parent = Talk("aaaaaaaa").turns(4)
    child = parent.fork("bbbbbbbb", at=4, begins=60).turns(3)
    grandchild = child.fork("cccccccc", at=6, begins=120).turns(1)
    niece = child.fork("dddddddd", at=2, begins=180).turns(1)
    return {"parent": parent, "child": child, "grandchild": grandchild, "niece": niece}


def links() -> set[tuple[str, str, str, int | None]]:
    rows = Relation.objects.values_list(
        "child__identity", "parent__identity", "kind", "forked_at_seq"
    )
    return {(child[:8], (parent or "")[:8], kind, seq) for child, parent, kind, seq in rows}


def own(identity: str) -> tuple[int, int]:
    """(tokens of its own, inherited ones)"""
    row = AgentSession.objects.get(identity__startswith=identity)
    return row.total_tokens - row.inherited_tokens, row.inherited_tokens


def check_totals(responses: int) -> None:
    """However often history was copied, over all sessions it counts once."""
    sessions = AgentSession.objects.aggregate(
        all=Sum("total_tokens"), copied=Sum("inherited_tokens")
    )
    assert Usage.objects.count() == responses
    assert sessions["all"] - sessions["copied"] == 15 * responses
    sums = UsageRollup.objects.aggregate(n=Sum("responses"), i=Sum("input"), o=Sum("output"))
    assert sums == {"n": responses, "i": 10 * responses, "o": 5 * responses}


def without_files(found: dict[str, Any]) -> dict[str, Any]:
    """The order of reading in one run comes from the files' times."""
    return {key: value for key, value in found.items() if key != "files"}


def test_a_family_is_the_same_in_whatever_order_it_is_read(tmp_path: Path, read: Read) -> None:
    first: dict[str, Any] = {}
    for order in permutations(family()):
        for in_one_run in (True, False) if order[0] in ("parent", "niece") else (True,):
            mark = transaction.savepoint()
            talks = family()
            for place, name in enumerate(order):
                talks[name].write(tmp_path, mtime=1_780_000_000 + place)
                if not in_one_run:
                    read(home=tmp_path)
            if in_one_run:
                read(home=tmp_path)
            found = without_files(dump())
            assert_same(found, first or found, f"{order} {in_one_run}")
            first = found
            assert links() == {
                ("bbbbbbbb", "aaaaaaaa", "fork", 4),
                ("cccccccc", "bbbbbbbb", "fork", 6),
                ("dddddddd", "aaaaaaaa", "fork", 2),
            }
            owned = {name: own(talk.name) for name, talk in talks.items()}
            assert owned == {
                "parent": (60, 0), "child": (45, 30), "grandchild": (15, 45), "niece": (15, 15),
            }  # fmt: skip
            check_totals(9)
            transaction.savepoint_rollback(mark)
        for path in tmp_path.rglob("*.jsonl"):
            path.unlink()


@pytest.mark.parametrize("step", [1, 2])
def test_a_fork_that_is_read_while_it_is_copied_ends_as_the_child(
    tmp_path: Path, read: Read, step: int
) -> None:
    parent = Talk("bbbbbbbb").turns(4)
    fork = parent.fork("aaaaaaaa", at=6, begins=60).turns(2)  # its name comes before its parent's
    parent.write(tmp_path)
    for upto in range(1, len(fork.lines) + 1, step):
        fork.write(tmp_path, upto)
        read(home=tmp_path)
    fork.write(tmp_path)
    parent.turns(3).write(tmp_path)
    read(home=tmp_path)
    assert links() == {("aaaaaaaa", "bbbbbbbb", "fork", 6)}
    assert (own(parent.name), own(fork.name)) == ((7 * 15, 0), (30, 45))
    check_totals(9)


def test_a_rewritten_fork_leaves_its_parent_elsewhere(tmp_path: Path, read: Read) -> None:
    parent = Talk("aaaaaaaa").turns(4)
    parent.write(tmp_path)
    parent.fork("bbbbbbbb", at=6, begins=60).turns(1).write(tmp_path)
    read(home=tmp_path)
    assert links() == {("bbbbbbbb", "aaaaaaaa", "fork", 6)}
    parent.fork("bbbbbbbb", at=2, begins=60).turns(3).write(tmp_path, mtime=1_780_000_009)
    read(home=tmp_path)
    assert links() == {("bbbbbbbb", "aaaaaaaa", "fork", 2)}
    Talk("bbbbbbbb", begins=90).turns(3).write(tmp_path, mtime=1_780_000_010)
    read(home=tmp_path)
    assert links() == set()


def test_files_without_ids_are_no_family(tmp_path: Path, read: Read) -> None:
    for name in ("aaaaaaaa", "bbbbbbbb"):
        talk = Talk(name).turns(2)
        for line in talk.lines:
            del line["uuid"]
        talk.write(tmp_path)
    read(home=tmp_path)
    assert links() == set()
    assert AgentSession.objects.count() == 2


@pytest.mark.parametrize("first", ["parent", "subagent", "together"])
def test_a_subagent_hangs_on_its_call_whoever_is_read_first(
    tmp_path: Path, read: Read, first: str
) -> None:
    parent = Talk("aaaaaaaa").turns(1).calls("toolu_1").turns(1)
    helper = subagent(parent, "a1", "toolu_1")
    if first == "parent":
        parent.write(tmp_path)
        read(home=tmp_path)
    write_subagent(parent, helper, tmp_path, "toolu_1")
    if first == "subagent":
        read(home=tmp_path)
        assert Relation.objects.get().parent is None
    parent.write(tmp_path)
    read(home=tmp_path)
    link = Relation.objects.get()
    assert link.parent is not None
    assert (link.kind, link.call_id, link.parent.identity) == ("subagent", "toolu_1", parent.name)
    assert (link.child.kind, link.child.title) == ("subagent", "Look")
    check_totals(4)


def test_a_copied_home_is_a_continuation_and_counts_once(
    tmp_path: Path, read: Read, teammate: User
) -> None:
    for talk in family().values():
        talk.write(tmp_path / "one")
    read(home=tmp_path / "one", paths=None)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    before = dict(Usage.objects.values_list("key", "session"))
    read(home=tmp_path / "two", paths=None, owner=teammate, host="elsewhere")
    assert AgentSession.objects.filter(collector=teammate).count() == 4
    assert dict(Usage.objects.values_list("key", "session")) == before
    for session in AgentSession.objects.filter(collector=teammate):
        link = session.parent_links.get(kind="continuation")
        assert link.parent is not None
        assert (link.parent.collector.username, link.parent.identity) == ("owner", session.identity)
        assert session.inherited_tokens == session.total_tokens
    check_totals(9)


def append_to(read: Read, parent: Talk, home: Path) -> int:
    """How many queries one more turn takes."""
    parent.turns(1).write(home)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        read(home=home, checked=False)
    return len(queries)


def test_an_append_costs_the_same_beside_many_subagents_and_forks(
    tmp_path: Path, read: Read
) -> None:
    parent = Talk("aaaaaaaa").turns(2)
    parent.write(tmp_path)
    counts = []
    for round_ in range(2):
        for number in range(10):
            name = f"{round_}{number}"
            write_subagent(parent, subagent(parent, name, "t"), tmp_path, "t")
            parent.fork(f"bbbbbb{name}", at=2, begins=60).turns(1).write(tmp_path)
        read(home=tmp_path)
        counts.append(append_to(read, parent, tmp_path))
    assert counts[0] == counts[1]
    assert counts[0] < 70
