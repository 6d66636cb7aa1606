from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from sessions_app.models import AgentSession, User
from tests.commands.test_list_sessions import Screen
from tests.factories import make_project, make_session, make_usage, tag


def shown(*arguments: str, screen: StringIO | None = None) -> str:
    out = screen or StringIO()
    call_command("show_session", *arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as error:
        shown(*arguments)
    assert error.value.returncode == 2
    return str(error.value)


@pytest.fixture
def session(owner: User) -> AgentSession:
    now = timezone.now()
    found = make_session(
        owner,
        short_id="k3f9w2m7q4ab",
        title="Fix the login",
        prompt="Fix\n  the login",
        models_used=["claude-opus-4-5", "mystery"],
        created_at=now - timedelta(hours=2, minutes=1),
        last_active=now - timedelta(minutes=7, seconds=5),
        work_dir="/projects/my  app",
        project=make_project("myapp"),
        input_tokens=1_234_567,
        total_tokens=1_240_000,
        cost=Decimal("1234.5678901"),
        unpriced_responses=1,
        message_count=4200,
        progress=0.45,
        total_steps=1000,
        current_task="Step 450",
        metadata={"note": "a\x1b[2Jb"},
    )
    tag(found, "auth", "api")
    make_usage(found, "u1", model="mystery")
    return found


def test_everything_that_is_known_is_shown(session: AgentSession) -> None:
    # C11 K4
    lines = dict(line.split("  ", 1) for line in shown("k3f9").splitlines())
    facts = {label: text.strip() for label, text in lines.items()}
    assert facts["ID"] == "k3f9w2m7q4ab"
    assert facts["Last used"].endswith(" UTC (7 min ago)")
    assert facts["Created"].endswith("(2 h ago)")
    assert facts["Input tokens"] == "1,234,567"
    assert facts["Messages"] == "4,200"
    assert facts["Steps"] == "1,000"
    assert facts["Progress"] == "45%"
    assert facts["Cost"] == "$1234.5678901 (no price for mystery)"
    assert facts["Tags"] == "api, auth"
    assert facts["Prompt"] == "Fix the login"
    assert facts["Metadata"] == r'{"note": "a\u001b[2Jb"}'
    native = f"native-{session.short_id}"
    assert facts["Resume with"] == f"cd '/projects/my  app' && claude --resume {native}"
    assert "Name" not in facts and "Exit code" not in facts


def test_json_is_the_session_of_every_surface(session: AgentSession) -> None:
    told = json.loads(shown("k3f9w2m7q4ab", "--json"))
    assert told["id"] == "k3f9w2m7q4ab"
    assert told["metadata"] == {"note": "a\x1b[2Jb"}
    assert told["token_usage"]["total"] == 1_240_000
    assert told["cost"]["unpriced_models"] == ["mystery"]


def test_why_it_cannot_be_resumed_is_said(owner: User) -> None:
    # C9
    make_session(owner, short_id="aaaa00000001", backend_session_id="")
    assert "Resume with   The agent never told its own session id." in shown("aaaa")


def test_an_ambiguous_id_lists_the_choices(owner: User) -> None:
    for short_id in ("aaaa00000001", "aaaa00000002", "aaab00000003"):
        make_session(owner, short_id=short_id)
    sentence = refused("aaaa")
    assert "aaaa00000001, aaaa00000002" in sentence and "aaab" not in sentence
    assert "aaab00000003" in shown("aaab")


@pytest.mark.parametrize("typed", ["zzzz", "aaa", "", "a*b?", "x" * 500, "\x1b[2J", "ａａａａ"])
def test_an_unknown_id_is_a_sentence(owner: User, typed: str) -> None:
    make_session(owner, short_id="aaaa00000001")
    sentence = refused(typed)
    assert sentence.startswith("There is no session “")
    assert "\x1b" not in sentence


def test_with_a_name_only_what_that_person_may_see(owner: User, stranger: User) -> None:
    make_session(owner, short_id="aaaa00000001", visibility="private", audience=-owner.pk)
    assert "aaaa00000001" in shown("aaaa", "--user", "owner")
    assert "There is no session" in refused("aaaa", "--user", "stranger")


def test_a_command_is_never_broken_into_lines(
    session: AgentSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    AgentSession.objects.update(work_dir="/projects/" + "deep/" * 40)
    last = shown("k3f9", "--no-color", screen=Screen()).splitlines()[-1]
    assert last.startswith("Resume with  cd /projects/deep/")
    assert last.endswith(f"/ && claude --resume native-{session.short_id}")


def test_a_backend_without_a_command_says_so(session: AgentSession) -> None:
    AgentSession.objects.update(backend="mystery")
    assert shown("k3f9").endswith("No command is known for it.\n")


def test_a_terminal_is_never_commanded(session: AgentSession) -> None:
    AgentSession.objects.update(title="\x1b[2J\x9bowned")
    drawn = shown("k3f9", "--no-color", screen=Screen())
    assert r"\x1b[2J\x9bowned" in drawn
    assert "\x1b[2J" not in drawn and "\x9b" not in drawn
