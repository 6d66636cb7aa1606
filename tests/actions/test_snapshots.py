"""Snapshots: any step, any state, and the latest one that is whole."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from sessions_app.actions.leases import Wanted, take_lease
from sessions_app.actions.refusals import (
    BadValue,
    Refused,
    SessionClosed,
    SessionLocked,
    StaleFence,
    TooLarge,
)
from sessions_app.actions.snapshots import (
    MAX_PACKED,
    MAX_STATE,
    TornSnapshot,
    latest_snapshot,
    read_state,
    save_snapshot,
)
from sessions_app.ingest.run import Wish, ingest
from sessions_app.models import AgentSession, Snapshot, User
from tests.factories import NOON, make_session
from tests.faults import fail_everywhere

SAMPLES = Path(__file__).parent.parent / "agents" / "samples" / "sessions-dir"


def save(session: AgentSession, step: int, state: str = '{"done": 1}') -> Snapshot:
    return save_snapshot(session, step, state.encode(), now=NOON)[0]


@pytest.mark.parametrize("step", [0, 1, 2**53 + 1, 2**63 - 1])
def test_a_state_comes_back_as_it_was_sent(owner: User, step: int) -> None:
    session = make_session(owner)
    state = '{"n": 123456789012345678901234567890, "text": "\\u0000 步", "half": 0.10}'
    save(session, step, state)
    stored = Snapshot.objects.get(session=session, step=step)
    assert read_state(stored).decode() == state
    assert (stored.size, stored.at, stored.received_at) == (len(state.encode()), NOON, NOON)


@pytest.mark.parametrize("step", [-1, 2**63, 10**30])
def test_a_step_beyond_the_range_is_refused(owner: User, step: int) -> None:
    with pytest.raises(BadValue):
        save(make_session(owner), step)
    assert not Snapshot.objects.exists()


@pytest.mark.parametrize(
    "state",
    [b"", b"{", b'{"a": NaN}', b"\xff", b'"\xff"', b'"\\ud800"', b"[" * 100_000, b"{} {}"],
)
def test_what_is_no_json_is_refused(owner: User, state: bytes) -> None:
    with pytest.raises(BadValue):
        save_snapshot(make_session(owner), 1, state, now=NOON)
    assert not Snapshot.objects.exists()


def test_a_state_has_a_limit_before_and_after_packing(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (MAX_PACKED, MAX_STATE) == (16 * 2**20, 128 * 2**20)
    monkeypatch.setattr("sessions_app.actions.snapshots.MAX_PACKED", 50)
    monkeypatch.setattr("sessions_app.actions.snapshots.MAX_STATE", 2000)
    session = make_session(owner)
    save(session, 1, json.dumps("a" * 1000))
    for state in (json.dumps("a" * 3000), json.dumps("".join(map(str, range(300))))):
        with pytest.raises(TooLarge):
            save(session, 2, state)
    assert Snapshot.objects.count() == 1


def test_the_same_step_again_replaces_it(owner: User) -> None:
    session = make_session(owner)
    assert save_snapshot(session, 5, b"1", now=NOON)[1]
    _, is_new = save_snapshot(session, 5, b"2", now=NOON + timedelta(seconds=1))
    assert not is_new
    assert [read_state(row) for row in session.snapshots.all()] == [b"2"]


def test_the_latest_is_the_highest_step_by_number(owner: User) -> None:
    session = make_session(owner)
    for step in (2, 10, 9, 100, 11):
        save(session, step, str(step))
    latest = latest_snapshot(session)
    assert latest.snapshot and (latest.snapshot.step, latest.state) == (100, b"100")
    assert latest.skipped == []


def test_torn_ones_are_skipped_and_named(owner: User) -> None:
    session = make_session(owner)
    for step in (3, 5, 7, 8, 9):
        save(session, step, str(step))
    rows = Snapshot.objects.filter(session=session)
    good = rows.get(step=3).packed
    rows.filter(step=5).update(packed=good)  # whole, but another state
    rows.filter(step=7).update(packed=bytes(good or b"")[:-2])
    rows.filter(step=8).update(packed=None, problem="torn or not JSON")
    rows.filter(step=9).update(sha256="", size=77)
    latest = latest_snapshot(session)
    assert latest.snapshot and latest.snapshot.step == 3
    assert latest.skipped == [
        (9, "1 bytes instead of 77"),
        (8, "torn or not JSON"),
        (7, "the stored bytes are damaged"),
        (5, "its hash does not fit"),
    ]
    with pytest.raises(TornSnapshot):
        read_state(rows.get(step=8))


def test_without_any_good_one_there_is_none(owner: User) -> None:
    session = make_session(owner)
    assert latest_snapshot(session).snapshot is None
    save(session, 1)
    Snapshot.objects.update(packed=b"x")
    assert latest_snapshot(session).snapshot is None


def test_torn_files_are_told_apart_by_the_same_rule(owner: User, tmp_path: Path) -> None:
    ingest(Wish(owner=owner, home=tmp_path, paths=[SAMPLES / "torn-snapshot"], jobs=0))
    latest = latest_snapshot(AgentSession.objects.get())
    assert latest.snapshot and latest.snapshot.step == 10
    assert latest.snapshot.sha256
    assert [step for step, _ in latest.skipped] == [11]


def test_a_lock_guards_it(owner: User, teammate: User) -> None:
    session = make_session(owner)
    lease = take_lease(session, Wanted("agent 1", owner), now=NOON)
    with pytest.raises(SessionLocked):
        save_snapshot(session, 1, b"1", now=NOON)
    save_snapshot(session, 1, b"1", fence=lease.pk, now=NOON)
    with pytest.raises(StaleFence):
        save_snapshot(session, 2, b"2", fence=lease.pk, now=NOON + timedelta(hours=2))
    assert session.snapshots.count() == 1


@pytest.mark.parametrize("status", ["completed", "error"])
def test_an_ended_session_takes_none(owner: User, status: str) -> None:
    with pytest.raises(SessionClosed):
        save(make_session(owner, status=status), 1)


def test_it_is_a_sign_of_life(owner: User) -> None:
    session = make_session(owner)
    save(session, 1)
    session.refresh_from_db()
    assert session.last_active == NOON
    save_snapshot(session, 2, b"1", now=NOON - timedelta(days=1))
    session.refresh_from_db()
    assert session.last_active == NOON


def test_a_time_after_now_counts_as_now(owner: User) -> None:
    session = make_session(owner)
    snapshot, _ = save_snapshot(session, 1, b"1", at=NOON + timedelta(days=9), now=NOON)
    assert snapshot.at == NOON
    assert issubclass(SessionClosed, Refused)


def test_whatever_fails_the_old_state_or_the_new_is_whole(owner: User) -> None:
    session = make_session(owner)
    save(session, 1, '"old"')

    def check() -> None:
        [stored] = session.snapshots.all()
        assert read_state(stored) in (b'"old"', b'"new"')

    assert fail_everywhere(lambda: save(session, 1, '"new"'), check) > 3
    assert latest_snapshot(session).state == b'"new"'
