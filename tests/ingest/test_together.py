"""Several processes feed one store at once: nothing is lost, doubled or counted twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command

from sessions_app.ingest.run import Wish, ingest
from sessions_app.models import AgentSession, Message, ToolCall, Usage, User
from tests.dump import assert_same, dump
from tests.ingest.children import ended, start, start_module
from tests.ingest.talks import Talk, subagent, write_subagent
from tests.invariants import check_invariants

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS, READINGS = 4, 8


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Twelve logs, each with a fork and a sub-agent."""
    for number in range(12):
        parent = Talk(f"{number:08x}"[::-1]).turns(6)
        parent.write(tmp_path)
        parent.fork(f"ffff{number:04}", at=6, begins=600).turns(2).write(tmp_path)
        write_subagent(parent, subagent(parent, f"a{number}", "t"), tmp_path, "t")
    return tmp_path


def test_two_ingests_at_once_store_what_one_stores(corpus: Path, tmp_path: Path) -> None:
    """Of one data folder, where the second waits, and of two, where both read every file."""
    ingest(Wish(owner=User.objects.create_superuser("boss"), home=corpus))
    alone = dump()
    for folders in (("data", "data"), ("one", "two")):
        call_command("flush", interactive=False, verbosity=0)
        User.objects.create_superuser("boss")
        processes = [
            start(corpus, "ingest_sessions", SESSIONS_DATA_DIR=str(tmp_path / folder))
            for folder in folders
        ]
        assert [ended(process)[::2] for process in processes] == [(0, "")] * 2
        check_invariants()
        assert_same(dump(), alone, str(folders))


def test_writers_beside_an_ingest_lose_nothing(corpus: Path) -> None:
    User.objects.create_superuser("boss")
    told = Talk("00000000").name  # a log of the corpus tells this session, too
    writers = [
        start_module(corpus, "tests.ingest.writer", f"writer{number}", str(READINGS), told)
        for number in range(WRITERS)
    ]
    reader = start(corpus, "ingest_sessions")
    assert [ended(process)[::2] for process in (*writers, reader)] == [(0, "")] * (WRITERS + 1)
    check_invariants()
    counts = dict(AgentSession.objects.values_list("identity", "message_count"))
    assert [counts[f"writer{number}"] for number in range(WRITERS)] == [READINGS] * WRITERS
    assert counts["shared"] == WRITERS * READINGS
    assert counts[told] == WRITERS * READINGS + 12
    assert ToolCall.objects.filter(ended=True).count() == 3 * WRITERS * READINGS
    assert Message.objects.count() == sum(counts.values())
    assert Usage.objects.filter(key__contains="bill-").count() == READINGS
