"""Agent by agent: what the store holds is what the samples are known to hold."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

import pytest

from sessions_app.agents import AGENTS
from sessions_app.models import User
from tests.bench.agents import WHAT, cases, compare, differences, table
from tests.bench.place import SAMPLES
from tests.invariants import check_invariants

pytestmark = pytest.mark.django_db
CASES = cases(SAMPLES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_the_store_holds_what_is_in_the_sample(case: Path, owner: User, tmp_path: Path) -> None:
    copy = copytree(case, tmp_path / case.parent.name / case.name)
    compared = list(compare(copy, owner))
    check_invariants()
    assert [line for line in differences(compared) if not line[-1]] == []
    [line] = table(compared)
    assert line[0] == case.parent.name
    assert len(line) == len(WHAT) + 1


def test_every_agent_is_in_the_table() -> None:
    assert {case.parent.name for case in CASES} == {agent.name for agent in AGENTS}
