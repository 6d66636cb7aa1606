"""The head of a session's page, and what stands beside the conversation."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from sessions_app import packing
from sessions_app.models import AgentSession, Artifact, Relation, Snapshot, User
from sessions_app.models.session import audience_of_user
from sessions_app.pages import transcript_header
from sessions_app.pages.resume import resume
from tests.factories import NOON, make_project, make_session, tag


def page(client: Client, session: AgentSession) -> str:
    response = client.get(reverse("session_detail", args=[session.short_id]))
    assert response.status_code == 200
    return str(response.content.decode())


def test_all_metadata_is_on_the_page(owner: User, owner_client: Client) -> None:
    session = make_session(
        owner, title="A title", name="nightly", backend_session_id="0199-aa", host="builder-7",
        model="m-one", models_used=["m-one", "m-two"], work_dir="/srv/shop", git_branch="feature/x",
        repository_url="git.example.com/shop", agent_version="2.1.197", description="What for",
        error="It broke", status="error", exit_code=3, total_steps=20, progress=0.4,
        current_task="Step eight",
        size_bytes=12_345, project=make_project("shop"), is_protected=True, message_count=42,
        user_messages=5, tool_calls=17, tool_errors=1, input_tokens=1_234, output_tokens=5_678,
        cache_read_tokens=500, reasoning_tokens=90, total_tokens=7_412, inherited_tokens=4_000,
        cost=Decimal("0.2531"), metadata={"speed": "fast"}, duration_seconds=812.4,
    )  # fmt: skip
    tag(session, "auth")
    html = page(owner_client, session)
    for words in (
        "A title", "nightly", "0199-aa", "builder-7", "m-one, m-two", "/srv/shop", "feature/x",
        "git.example.com/shop", "2.1.197", "What for", "It broke", "8 / 20 · 40%", "Step eight",
        "12.3 kB", "shop", "protected", "5 prompts", "1 error", "1,234", "5,678", "7,412", "$0.25",
        "estimated", "4,000", "auth", "speed", "13 min 32 s", session.short_id, "claude",
    ):  # fmt: skip
        assert words in html, words
    assert "claude --resume 0199-aa" in html


def test_nothing_of_it_is_markup(owner: User, owner_client: Client) -> None:
    evil = '<img src=x onerror="1">\u202e\x1b[31m'
    session = make_session(
        owner, title=evil, model=evil, host=evil, work_dir=evil, git_branch=evil, description=evil,
        error=evil, status="error", current_task=evil, agent_version=evil, metadata={evil: evil},
    )  # fmt: skip
    tag(session, evil)
    Artifact.objects.create(session=session, path=evil, sha256="0" * 64, size=1, received_at=NOON)
    html = page(owner_client, session)
    assert "<img src=x" not in html
    assert "\u202e" not in html
    assert "\x1b" not in html


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"turn": "open", "status": "crashed"}, "last turn open"),
        ({"turn": "open", "status": "active"}, "at work"),
        ({"turn": "ended", "status": "completed"}, "last turn ended"),
        ({"turn": "ended", "status": "active"}, "waiting for a prompt"),
        ({"turn": "failed", "status": "error"}, "last turn failed"),
        ({"turn": "aborted", "status": "paused"}, "last turn interrupted"),
        ({"turn": "open", "open_tool_calls": 2}, "2 tool calls without a result"),
        ({"turn": ""}, ""),
    ],
)
def test_the_status_has_its_evidence(fields: dict[str, Any], words: str) -> None:
    assert transcript_header.evidence(AgentSession(**fields)) == words


@pytest.mark.parametrize(
    ("fields", "text", "kind"),
    [
        ({"cost": Decimal("1.5")}, "$1.50", "estimated"),
        ({"cost": Decimal("1.5"), "recorded_cost": Decimal("1.5")}, "$1.50", "recorded"),
        ({"cost": Decimal("2"), "recorded_cost": Decimal("1")}, "$2.00", "partly estimated"),
        ({"total_tokens": 10, "unpriced_responses": 1}, "no price", ""),
        ({"cost": Decimal("2"), "unpriced_responses": 1}, "≥ $2.00", "estimated"),
        ({}, "–", ""),
    ],
)
def test_the_cost_says_what_it_rests_on(fields: dict[str, Any], text: str, kind: str) -> None:
    times = {"created_at": NOON, "last_active": NOON}
    figure = transcript_header.strip(AgentSession(**times, **fields))[-1]
    assert (figure.text, figure.note) == (text, kind)


def test_relatives_are_links_and_only_for_who_may_see_them(
    owner: User, owner_client: Client, teammate_client: Client
) -> None:
    session = make_session(owner)
    hidden = {"visibility": "private", "audience": audience_of_user(owner.pk)}
    parent = make_session(owner, title="The parent")
    child = make_session(owner, title="The secret child", kind="subagent", **hidden)
    Relation.objects.create(child=session, parent=parent, kind="fork", forked_at_seq=7)
    Relation.objects.create(child=child, parent=session, kind="subagent")
    mine, theirs = page(owner_client, session), page(teammate_client, session)
    assert "Forked from" in mine
    assert "parted after message 7" in mine
    assert "The secret child" in mine
    assert "The parent" in theirs
    assert "The secret child" not in theirs
    assert child.short_id not in theirs


def test_snapshots_and_artifacts_are_listed(owner: User, owner_client: Client) -> None:
    session = make_session(owner)
    for step, problem in ((2, ""), (10, ""), (11, "torn at byte 40")):
        Snapshot.objects.create(
            session=session, step=step, received_at=NOON, problem=problem, size=1_500,
            packed=None if problem else packing.pack(b"{}"),
        )  # fmt: skip
    found = Artifact.objects.create(
        session=session, path="out/plot <1>.svg", sha256="0" * 64, size=2_000, received_at=NOON
    )
    html = page(owner_client, session)
    assert html.index("Step 11") < html.index("Step 10") < html.index("Step 2<")
    assert "torn at byte 40" in html
    assert "out/plot &lt;1&gt;.svg" in html
    assert f"artifacts/{found.pk}/" in html


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"kind": "subagent", "backend_session_id": "x"}, "through its parent"),
        ({"backend_session_id": ""}, "never told its own session id"),
        ({"backend": "nobody", "backend_session_id": "x"}, "No command is known"),
        ({"backend": "claude", "backend_session_id": "a\nb; rm"}, "no shell should see"),
    ],
)
def test_where_there_is_no_command_the_page_says_why(fields: dict[str, Any], sentence: str) -> None:
    plain = {"kind": "main", "backend": "claude"}
    found = resume(AgentSession(**{**plain, **fields}))
    assert found.command == ""
    assert sentence in found.reason


@pytest.mark.parametrize(
    ("status", "turn", "is_shown"),
    [
        ("error", "failed", True),
        ("error", "", True),
        ("crashed", "", True),  # told by a program, with the crash
        ("crashed", "open", False),
        ("completed", "ended", False),
        ("active", "open", False),
    ],
)
def test_an_error_that_was_overcome_is_not_shown(
    status: str, turn: str, is_shown: bool, owner: User, owner_client: Client
) -> None:
    session = make_session(owner, error="It broke", status=status, turn=turn)
    assert ("It broke" in page(owner_client, session)) == is_shown
