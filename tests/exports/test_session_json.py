from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.utils.timezone import now
from pytest_django import DjangoAssertNumQueries

from sessions_app.actions.names import new_short_id
from sessions_app.agents.resume import resume_command
from sessions_app.exports.session_json import session_json, sessions_json, usd
from sessions_app.models import AgentSession, Relation, User
from tests.factories import NOON, make_project, make_session, make_usage, tag

# The fields that were asked for, and those that the contract adds.
# K4 C11
KEYS = [
    *("id", "name", "backend", "backend_session_id", "source", "model", "models", "status"),
    *("resumable", "not_resumable_because", "created_at", "last_active", "ended_at", "work_dir"),
    *("project", "git_branch", "host", "owner", "visibility", "protected", "title", "kind"),
    *("prompt", "description", "tags", "token_usage", "cost", "message_count", "user_messages"),
    *("tool_calls", "tool_errors", "total_steps", "current_task", "progress", "parent_id"),
    *("forked_at_seq", "merged_from", "subagents", "exit_code", "duration_seconds", "metadata"),
    "resume_command",
]


def as_json(session: AgentSession, viewer: User | None = None) -> dict[str, object]:
    return session_json(session, viewer=viewer or session.owner, resume_command=resume_command)


def link(child: AgentSession, parent: AgentSession, kind: str, seq: int | None = None) -> None:
    Relation.objects.create(
        child=child, parent=parent, kind=kind, parent_identity=parent.identity, forked_at_seq=seq
    )


def test_every_field_is_told(owner: User) -> None:
    session = make_session(
        owner,
        name="login",
        model="claude-opus-4-5-20251101",
        models_used=["claude-opus-4-5-20251101", "claude-haiku-4-5"],
        status="completed",
        ended_at=NOON,
        work_dir="/projects/my app",
        project=make_project("myapp"),
        title="Fix the login",
        prompt="Please fix the login",
        description="第一次尝试",
        total_steps=20,
        progress=0.4,
        current_task="Testing",
        exit_code=0,
        duration_seconds=812.4,
        metadata={"exit": [1, None]},
    )
    tag(session, "auth", "api")
    told = as_json(session)
    assert list(told) == KEYS
    assert json.loads(json.dumps(told)) == told
    picked = {key: told[key] for key in ("name", "project", "tags", "status", "owner", "models")}
    assert picked == {
        "name": "login",
        "project": "myapp",
        "tags": ["api", "auth"],
        "status": "completed",
        "owner": "owner",
        "models": ["claude-opus-4-5-20251101", "claude-haiku-4-5"],
    }
    assert told["ended_at"] == "2026-11-21T12:00:00Z"
    command = f"cd '/projects/my app' && claude --resume {session.backend_session_id}"
    assert told["resume_command"] == command


def test_what_is_not_known_is_null(owner: User) -> None:
    told = as_json(make_session(owner, backend_session_id="", status="created"))
    unknown = [key for key, value in told.items() if value is None]
    assert unknown == [
        *("name", "backend_session_id", "model", "ended_at", "work_dir", "project", "git_branch"),
        *("host", "title", "prompt", "description", "total_steps", "current_task", "progress"),
        *("parent_id", "forked_at_seq", "exit_code", "resume_command"),
    ]
    assert told["duration_seconds"] == 50 * 60


def test_only_sessions_with_an_id_of_the_agent_can_be_resumed(owner: User) -> None:
    # C9
    told = as_json(make_session(owner, backend_session_id=""))
    assert (told["resumable"], told["resume_command"]) == (False, None)
    assert told["not_resumable_because"] == "The agent never told its own session id."
    sub_agent = as_json(make_session(owner, kind="subagent"))
    assert (sub_agent["resumable"], sub_agent["resume_command"]) == (False, None)


def test_times_are_utc_whatever_the_zone(owner: User) -> None:
    zone = timezone(timedelta(hours=8))
    session = make_session(owner, created_at=datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=zone))
    assert as_json(session)["created_at"] == "2026-01-01T19:04:05.600000Z"


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "0.0000"),
        ("0.2531", "0.2531"),
        ("0.253100000", "0.2531"),
        ("0.000000001", "0.000000001"),
        ("12", "12.0000"),
        ("1E+3", "1000.0000"),
        ("1234567.5", "1234567.5000"),
    ],
)
def test_money_is_never_rounded(amount: str, shown: str) -> None:
    assert usd(Decimal(amount)) == shown


def test_tokens_and_cost(owner: User) -> None:
    session = make_session(
        owner,
        input_tokens=1234,
        output_tokens=5678,
        cache_read_tokens=500,
        reasoning_tokens=90,
        total_tokens=7412,
        inherited_tokens=412,
        cost=Decimal("0.2531"),
        recorded_cost=Decimal("0.0031"),
        unpriced_responses=2,
    )
    for key, model, cost in [("a", "zzz", None), ("b", "mystery", None), ("c", "known", "0.25")]:
        make_usage(session, key, model=model, cost=cost)
    told = as_json(session)
    assert told["token_usage"] == {
        "input": 1234,
        "output": 5678,
        "cache_read": 500,
        "cache_write": 0,
        "reasoning": 90,
        "total": 7412,
        "inherited": 412,
    }
    assert told["cost"] == {
        "usd": "0.2531",
        "recorded": "0.0031",
        "estimated": "0.2500",
        "complete": False,
        "unpriced_models": ["mystery", "zzz"],
    }


def test_relatives(owner: User) -> None:
    parent, other, fork = make_session(owner), make_session(owner), make_session(owner)
    sub_agents = [make_session(owner, kind="subagent") for _ in range(3)]
    merged = make_session(owner)
    link(fork, parent, "fork", 7)
    link(fork, other, "continuation")
    for sub_agent in sub_agents:
        link(sub_agent, parent, "subagent")
    link(merged, parent, "merge")
    link(merged, other, "merge")
    told = as_json(fork)
    assert (told["parent_id"], told["forked_at_seq"]) == (parent.short_id, 7)
    assert as_json(parent)["subagents"] == 3
    assert as_json(sub_agents[0])["parent_id"] == parent.short_id
    assert as_json(merged)["merged_from"] == [parent.short_id, other.short_id]
    assert as_json(merged)["parent_id"] is None


def test_relatives_that_the_viewer_may_not_see_do_not_exist(owner: User, stranger: User) -> None:
    secret = make_session(owner, visibility="private", audience=-owner.pk)
    trashed = make_session(owner, trashed_at=now())
    fork, parent = make_session(owner), make_session(owner)
    link(fork, secret, "fork", 3)
    link(make_session(owner, kind="subagent", audience=-owner.pk), parent, "subagent")
    link(make_session(owner, kind="subagent", trashed_at=now()), parent, "subagent")
    link(parent, trashed, "fork")
    assert as_json(fork, owner)["parent_id"] == secret.short_id
    assert as_json(fork, stranger)["parent_id"] is None
    assert as_json(fork, stranger)["forked_at_seq"] is None
    assert (as_json(parent, owner)["subagents"], as_json(parent, stranger)["subagents"]) == (1, 0)
    assert as_json(parent, owner)["parent_id"] is None


def test_ten_more_sessions_need_no_more_queries(
    owner: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    def family(size: int) -> None:
        for _ in range(size):
            session = make_session(owner, project=make_project(new_short_id()))
            session.unpriced_responses = 1
            session.save()
            make_usage(session, session.short_id)
            tag(session, "one", session.short_id)
            link(make_session(owner), session, "fork", 1)

    def told(queries: int) -> list[str]:
        sessions = list(AgentSession.objects.order_by("pk"))
        with django_assert_num_queries(queries):
            found = sessions_json(sessions, viewer=owner, resume_command=resume_command)
        assert [item["id"] for item in found] == [session.short_id for session in sessions]
        return [item["id"] for item in found]

    family(1)
    told(7)
    family(10)
    assert len(told(7)) == 22
    assert sessions_json([], viewer=owner, resume_command=resume_command) == []
