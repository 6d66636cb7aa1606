"""clinvk's record and the backend's own file: one session, whoever comes first."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from sessions_app.actions.lifecycle import settle_quiet
from sessions_app.models import AgentSession, Relation, SessionAlias, Usage, User
from tests.dump import assert_same, dump
from tests.ingest.conftest import Read
from tests.ingest.talks import Talk

pytestmark = pytest.mark.django_db

OWN_ID = "00000000000000000000000000000abc"

DOCUMENT: dict[str, Any] = {
    "backend": "claude", "status": "completed", "created_at": "2026-01-05T07:59:00Z",
    "last_used": "2026-01-05T08:30:00.123456789Z", "working_dir": "/home/dev/shop",
    "initial_prompt": "Question asked through clinvk", "model": "claude-sonnet-4-5",
    "tags": ["nightly"], "title": "Nightly check",
    "token_usage": {"input_tokens": 1000, "output_tokens": 500, "cached_tokens": 7},
    "metadata": {"exit_code": 3, "duration_seconds": 12.5},
}  # fmt: skip


def record(home: Path, own_id: str, *, mtime: int = 1_780_000_000, **more: Any) -> Path:
    path = home / ".clinvk" / "sessions" / f"{own_id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**DOCUMENT, "id": own_id, **more}), "utf-8")
    os.utime(path, (mtime, mtime))
    return path


def check_joined(talk: Talk) -> None:
    session = AgentSession.objects.get()
    assert (session.source, session.backend, session.identity) == (
        "claude-code", "claude", talk.name,
    )  # fmt: skip
    assert (session.message_count, session.total_tokens) == (4, 30)
    assert Usage.objects.filter(is_summary=True).count() == 0
    assert (session.exit_code, session.duration_seconds) == (3, 12.5)
    assert (session.title, session.resumable) == ("Nightly check", True)
    assert list(session.tags.values_list("name", flat=True)) == ["nightly"]
    assert SessionAlias.objects.get().session == session
    assert session.status == "completed"


@pytest.mark.parametrize("order", list(permutations(["record", "log", "learns"])), ids="-".join)
def test_one_session_in_whatever_order_it_is_told(
    tmp_path: Path, read: Read, order: tuple[str, ...]
) -> None:
    """The record is written first without the backend's id, and learns it when it has run."""
    talk = Talk("aaaaaaaa").turns(2)
    if order.index("learns") < order.index("record"):
        order = tuple(step for step in order if step != "record")
    for step in order:
        if step == "log":
            talk.write(tmp_path)
        else:
            native = talk.name if step == "learns" else ""
            record(tmp_path, "clin1", backend_session_id=native, mtime=1_780_000_000 + len(native))
        read(home=tmp_path)
    check_joined(talk)


def test_both_in_one_run(tmp_path: Path, read: Read) -> None:
    talk = Talk("aaaaaaaa").turns(2)
    first: dict[str, Any] = {}
    for early in ("record", "log"):
        mark = transaction.savepoint()
        talk.write(tmp_path, mtime=1_780_000_000 + (early == "record"))
        record(
            tmp_path, "clin1", backend_session_id=talk.name, mtime=1_780_000_000 + (early == "log")
        )
        read(home=tmp_path)
        check_joined(talk)
        found = dump()
        del found["files"]
        for item in found["sessions"].values():
            del item["prompt"]  # the words that came first; they are the same in real life
        assert_same(found, first or found, early)
        first = found
        transaction.savepoint_rollback(mark)


def test_alone_it_tells_what_it_knows(tmp_path: Path, read: Read) -> None:
    record(tmp_path, "clin1", backend_session_id="")
    read(home=tmp_path)
    session = AgentSession.objects.get()
    assert (session.source, session.total_tokens, session.cost > 0) == ("clinvk", 1500, True)
    assert (session.status, session.prompt) == ("completed", "Question asked through clinvk")
    assert session.not_resumable_because == "The agent never told its own session id."
    tokens = {"input_tokens": 2000, "output_tokens": 1000}
    record(tmp_path, "clin1", backend_session_id="", token_usage=tokens, status="error",
           error_message="rate limit", mtime=1_780_000_009)  # fmt: skip
    read(home=tmp_path)
    session.refresh_from_db()
    assert (session.total_tokens, session.status, session.error) == (3000, "error", "rate limit")


@pytest.mark.parametrize("late", ["parent", "child"])
@pytest.mark.parametrize("ran", [True, False])
def test_a_fork_by_clinvks_own_id(tmp_path: Path, read: Read, late: str, ran: bool) -> None:
    """The parent's session is known under its backend's id, the fork names clinvk's."""
    talk = Talk("aaaaaaaa").turns(2)
    if ran:
        talk.write(tmp_path)
        read(home=tmp_path)
    steps = [("clin2", "clin1", "native-2"), ("clin1", "", talk.name if ran else "native-1")]
    for own_id, parent, native in steps if late == "parent" else steps[::-1]:
        record(tmp_path, own_id, parent_id=parent, backend_session_id=native)
        read(home=tmp_path)
    link = Relation.objects.get()
    assert link.parent is not None
    assert (link.kind, link.child.identity) == ("fork", "native-2")
    assert link.parent.identity == (talk.name if ran else "native-1")


def test_two_records_of_one_session_link_it_to_nothing(tmp_path: Path, read: Read) -> None:
    record(tmp_path, "clin1", backend_session_id="native-1")
    record(tmp_path, "clin2", backend_session_id="native-1", parent_id="clin1")
    read(home=tmp_path)
    read(home=tmp_path, full=True)
    assert (AgentSession.objects.count(), Relation.objects.count()) == (1, 0)


def test_a_joining_record_wakes_no_session(tmp_path: Path, read: Read) -> None:
    """That clinvk's record was written says nothing about the agent's own log."""
    talk = Talk("aaaaaaaa").turns(2)
    talk.write(tmp_path)
    read(home=tmp_path)
    history = list(AgentSession.objects.get().status_changes.values_list("status", flat=True))
    record(tmp_path, "clin1", backend_session_id=talk.name, status="active")
    read(home=tmp_path)
    session = AgentSession.objects.get()
    assert session.status == "completed"
    assert list(session.status_changes.values_list("status", flat=True)) == history


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"metadata": {}}, "crashed"),
        ({"metadata": {"exit_code": "0"}}, "completed"),
        ({"metadata": {"exit_code": 3}}, "error"),
        ({"metadata": {}, "error_message": "no such model"}, "error"),
        ({"metadata": {}, "initial_prompt": ""}, "created"),  # a fork before its first turn
    ],
)
def test_a_record_that_stays_active_settles_after_the_quiet_period(
    told: dict[str, Any], status: str, tmp_path: Path, read: Read
) -> None:
    now = datetime.now(UTC)
    record(tmp_path, OWN_ID, status="active", last_used=now.isoformat(), **told)
    read()
    assert AgentSession.objects.get().status == "active"
    assert settle_quiet(now + timedelta(minutes=29)) == 0
    assert settle_quiet(now + timedelta(minutes=31)) == 1
    assert AgentSession.objects.get().status == status
    assert settle_quiet(now + timedelta(minutes=62)) == 0


def test_an_old_record_that_calls_itself_active_is_settled_at_once(
    tmp_path: Path, read: Read
) -> None:
    record(tmp_path, OWN_ID, status="active", metadata={"exit_code": 0})
    read()
    session = AgentSession.objects.get()
    assert session.status == "completed"
    assert session.status_changes.count() == 1
    read(full=True)
    assert session.status_changes.count() == 1


def test_equal_short_names_of_two_people_are_two_sums(
    tmp_path: Path, read: Read, teammate: User
) -> None:
    record(tmp_path, OWN_ID)
    read()
    record(tmp_path, OWN_ID, mtime=1_780_000_009, token_usage={"input_tokens": 7})
    read(owner=teammate)
    rows = Usage.objects.order_by("pk").values_list("session__collector__username", "input")
    assert list(rows) == [("owner", 1000), ("teammate", 7)]
    sums = AgentSession.objects.order_by("pk").values_list("total_tokens", "inherited_tokens")
    assert list(sums) == [(1500, 0), (7, 0)]
