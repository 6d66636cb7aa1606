"""Merging: every message once, with where it came from; totals count nothing twice."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sessions_app.actions.merge import merge_sessions, preview_merge
from sessions_app.actions.refusals import BadValue, TooLarge
from sessions_app.actions.rollup import rebuild_rollups
from sessions_app.actions.tokens import recount_stored
from sessions_app.ingest.run import Wish, ingest
from sessions_app.models import AgentSession, Artifact, Message, StatusChange, Usage, User
from tests.dump import all_rows
from tests.factories import (
    NOON,
    make_call,
    make_message,
    make_project,
    make_session,
    make_usage,
    tag,
)
from tests.faults import fail_everywhere
from tests.ingest.talks import Talk
from tests.invariants import check_invariants


def started(owner: User, **fields: Any) -> AgentSession:
    session = make_session(owner, **fields)
    StatusChange.objects.create(session=session, status=session.status, at=NOON, reason="test")
    return session


def say(session: AgentSession, text: str, minute: int | None, **fields: Any) -> Message:
    at = None if minute is None else NOON - timedelta(minutes=60 - minute)
    return make_message(session, text, at=at, **fields)


def merge(*sessions: AgentSession, by: User | None = None, **wish: Any) -> AgentSession:
    return merge_sessions(sessions, by=by or sessions[0].owner, now=NOON, **wish)


def texts(session: AgentSession) -> list[str]:
    return list(session.messages.order_by("seq").values_list("text", flat=True))


def places(session: AgentSession) -> list[list[tuple[str, int]]]:
    told = session.messages.order_by("seq").values_list("metadata", flat=True)
    return [
        [(place["session"], place["seq"]) for place in json.loads(item)["merged_from"]]
        for item in told
    ]


def test_by_time_they_mix_and_by_sequence_one_follows_the_other(owner: User) -> None:
    one, two = started(owner), started(owner)
    say(one, "a1", 1), say(one, "a2", 5), say(one, "a3", 6)
    say(two, "b1", 2), say(two, "b2", None), say(two, "b3", 9)
    assert texts(merge(one, two)) == ["a1", "b1", "b2", "a2", "a3", "b3"]
    assert texts(merge(two, one, order="sequence")) == ["b1", "b2", "b3", "a1", "a2", "a3"]
    check_invariants()


def test_a_wrong_clock_never_turns_a_conversation_round(owner: User) -> None:
    one, two = started(owner), started(owner)
    say(one, "a1", 8), say(one, "a2", 1)
    say(two, "b1", 2)
    assert texts(merge(one, two)) == ["b1", "a1", "a2"]


LONG = "4f2a6041-f808-51ba-9dad-68c8a537d781"


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        # (text, minute, key) of a message in each session, and how many there are then
        (("hi", 1, LONG), ("hi", 1, LONG), 1),
        (("hi", 1, LONG), ("hi, longer", 3, LONG), 1),
        (("hi", 1, "short"), ("hi", 4, "short"), 1),
        (("hi", 1, "short"), ("ho", 1, "short"), 2),
        (("hi", 1, "L1"), ("hi", 1, "L7"), 1),
        (("hi", 1, "L1"), ("hi", 2, "L1"), 2),
        (("hi", None, "m1"), ("hi", None, "m2"), 1),
        (("hi", 1, "m1"), ("hi", 2, "m2"), 2),
    ],
)
def test_duplicates_go_by_id_and_by_content(
    owner: User, first: tuple[str, int, str], second: tuple[str, int, str], count: int
) -> None:
    sessions = [started(owner), started(owner)]
    for session, (text, minute, key) in zip(sessions, (first, second), strict=True):
        say(session, text, minute, key=key)
    merged = merge(*sessions)
    assert merged.message_count == count
    assert preview_merge(sessions).duplicates == 2 - count
    wanted = [(session.short_id, 1) for session in sessions]
    assert places(merged) == ([wanted] if count == 1 else [[place] for place in wanted])
    check_invariants()


def test_what_one_session_says_twice_stays_twice(owner: User) -> None:
    one, two = started(owner), started(owner)
    say(one, "yes", None), say(one, "yes", None)
    say(two, "yes", None)
    merged = merge(one, two)
    assert texts(merged) == ["yes", "yes"]
    assert [len(place) for place in places(merged)] == [2, 1]


def test_of_two_copies_the_one_with_the_result_stays(owner: User) -> None:
    one, two = started(owner), started(owner)
    make_call(say(one, "", 1, key=LONG), "Bash", "{}", call_id="c1")
    make_call(say(two, "", 1, key=LONG), "Bash", "{}", "done", call_id="c1")
    for session in (one, two):
        session.tool_calls, session.open_tool_calls = 1, int(session == one)
        session.save()
    merged = merge(one, two)
    assert [call.output_preview for call in merged.calls.all()] == ["done"]
    assert (merged.tool_calls, merged.open_tool_calls) == (1, 0)
    check_invariants()


def test_usage_is_linked_and_counts_once(owner: User) -> None:
    one, two = started(owner), started(owner)
    first, second = say(one, "a", 1), say(two, "b", 2)
    for session, message, key in ((one, first, "r1"), (two, second, "r2")):
        make_usage(session, key, input=10, output=5, cost="0.5")
        session.usage_links.update(message=message)
    shared = Usage.objects.get(key="claude:r1")
    two.usage_links.create(usage=shared)
    recount_stored([one.pk, two.pk])
    rebuild_rollups([one.pk, two.pk])
    merged = merge(one, two)
    assert (merged.total_tokens, merged.inherited_tokens, merged.cost) == (30, 30, 1)
    assert Usage.objects.count() == 2
    linked = merged.usage_links.order_by("usage__key").values_list("message__text", flat=True)
    assert list(linked) == ["a", "b"]
    check_invariants()


def test_it_says_what_it_is(owner: User) -> None:
    one = started(owner, metadata={"a": 1, "b": 1}, work_dir="/src", model="opus", prompt="Do")
    two = started(owner, metadata={"b": 2, "c": 2}, work_dir="/src", backend="codex")
    tag(one, "x", "y")
    tag(two, "y", "z")
    merged = merge(one, two, description="  Both of them ")
    assert (merged.title, merged.description) == ("Both of them", "Both of them")
    assert (merged.source, merged.backend, merged.work_dir) == ("merge", "mixed", "/src")
    assert (merged.metadata, merged.model) == ({"a": 1, "b": 1, "c": 2}, "")
    assert {item.name for item in merged.tags.all()} == {"x", "y", "z"}
    links = merged.parent_links.order_by("pk")
    assert [(link.kind, link.parent) for link in links] == [("merge", one), ("merge", two)]
    assert not merged.resumable
    assert merge(one, two).title == f"{one}, {two}"
    check_invariants()


def test_artifacts_are_shared_and_other_bytes_of_a_name_go_aside(owner: User) -> None:
    one, two = started(owner), started(owner)
    for session, path, sha256 in (
        (one, "a", "1"),
        (two, "a", "1"),
        (one, "b", "2"),
        (two, "b", "3"),
    ):
        Artifact.objects.create(
            session=session, path=path, sha256=sha256 * 64, size=1, received_at=NOON
        )
    found = dict(merge(one, two).artifacts.values_list("path", "sha256"))
    assert found == {"a": "1" * 64, "b": "2" * 64, f"{two.short_id}/b": "3" * 64}


def test_the_sources_stay_as_they_are(owner: User) -> None:
    one, two = started(owner), started(owner)
    say(one, "a", 1), say(two, "b", 2)
    before = all_rows()
    merge(one, two)
    after = all_rows()
    assert set(before["AgentSession"]) < set(after["AgentSession"])
    assert set(before["Message"]) < set(after["Message"])


def test_nobody_sees_more_than_before(owner: User, teammate: User, stranger: User) -> None:
    closed = make_project("closed", is_open=False)
    closed.membership_set.create(user=owner), closed.membership_set.create(user=teammate)
    inside = [
        started(owner, project=closed, visibility="project", audience=closed.pk) for _ in range(2)
    ]
    outside = started(owner)
    cases = [
        (merge(*inside), (True, True, False)),
        (merge(inside[0], outside), (True, False, False)),
        (merge(outside, started(owner)), (True, True, True)),
        (merge(outside, started(teammate), by=teammate), (True, True, True)),
    ]
    for merged, expected in cases:
        seen = [
            AgentSession.objects.visible_to(person).filter(pk=merged.pk).exists()
            for person in (owner, teammate, stranger)
        ]
        assert tuple(seen) == expected


@pytest.mark.parametrize(
    ("pick", "wish"),
    [((0,), {}), ((), {}), ((0, 0), {}), ((0, 1), {"order": "size"}), ((0, 2), {})],
)
def test_what_makes_no_sense_is_refused(
    owner: User, pick: tuple[int, ...], wish: dict[str, str]
) -> None:
    sessions = [started(owner), started(owner), started(owner, is_ephemeral=True)]
    with pytest.raises(BadValue):
        merge_sessions([sessions[index] for index in pick], by=owner, now=NOON, **wish)
    assert AgentSession.objects.count() == 3


def test_there_is_a_limit(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sessions_app.actions.merge.MOST_MESSAGES", 1)
    one, two = started(owner), started(owner)
    say(one, "a", 1), say(two, "b", 1)
    with pytest.raises(TooLarge):
        merge(one, two)


def test_forks_of_one_conversation_hold_their_common_start_once(
    owner: User, tmp_path: Path
) -> None:
    talk = Talk("11111111").turns(3).calls("call-1")
    talk.write(tmp_path)
    fork = talk.fork("22222222", at=4, begins=10).turns(2)
    fork.write(tmp_path)
    ingest(Wish(owner=owner, home=tmp_path, paths=[tmp_path], jobs=0))
    one, two = AgentSession.objects.order_by("created_at", "identity")
    merged = merge(one, two)
    assert merged.message_count == one.message_count + two.message_count - 4
    tokens = sum(usage.input + usage.output for usage in Usage.objects.all())
    assert merged.total_tokens == tokens
    check_invariants()
    again = merge(merged, one)  # a merge can be merged
    assert again.message_count == merged.message_count
    check_invariants()


# A cursor on the server that fails while it is opened is left to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_whatever_fails_there_is_a_whole_merge_or_none(owner: User) -> None:
    one, two = started(owner), started(owner)
    make_call(say(one, "a", 1), "Bash", "{}", "done")
    say(two, "b", 2)
    one.tool_calls = 1
    one.save()
    make_usage(one, "r1", input=10)
    recount_stored([one.pk])
    rebuild_rollups([one.pk])
    before = AgentSession.objects.count()

    def check() -> None:
        check_invariants()
        assert AgentSession.objects.count() in (before, before + 1)

    assert fail_everywhere(lambda: merge(one, two), check) > 15
    assert AgentSession.objects.count() == before + 1
