from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from sessions_app.models import User
from tests.factories import make_project, make_session, tag


class Screen(StringIO):
    def isatty(self) -> bool:
        return True


def listed(*arguments: str, screen: StringIO | None = None) -> str:
    out = screen or StringIO()
    call_command("list_sessions", *arguments, stdout=out)
    return out.getvalue()


def ids(*arguments: str) -> list[str]:
    answer: dict[str, Any] = json.loads(listed("--json", *arguments))
    return [item["id"] for item in answer["items"]]


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as error:
        listed(*arguments)
    assert error.value.returncode == 2
    return str(error.value)


@pytest.fixture
def three(owner: User, teammate: User) -> list[str]:
    """The latest first."""
    now = timezone.now()
    sessions = [
        make_session(
            owner,
            short_id="aaaa00000001",
            title="Fix the login",
            total_tokens=1_234_567,
            last_active=now - timedelta(minutes=3),
            project=make_project("webshop"),
        ),
        make_session(
            owner,
            short_id="bbbb00000002",
            backend="codex",
            status="crashed",
            prompt="登录页面\n坏了",
            last_active=now - timedelta(hours=5),
        ),
        make_session(
            teammate,
            short_id="cccc00000003",
            status="completed",
            last_active=now - timedelta(days=2),
        ),
    ]
    tag(sessions[0], "auth", "api")
    tag(sessions[1], "auth")
    return [session.short_id for session in sessions]


def test_the_table_has_the_columns_that_were_asked_for(three: list[str]) -> None:
    # C6
    assert listed().splitlines() == [
        "ID            BACKEND  STATUS     LAST USED  TOKENS     TITLE/PROMPT",
        "aaaa00000001  claude   active     3 min ago  1,234,567  Fix the login",
        "bbbb00000002  codex    crashed    5 h ago    0          登录页面 坏了",
        "cccc00000003  claude   completed  2 d ago    0",
    ]


@pytest.mark.parametrize(
    ("arguments", "places"),
    [
        ([], [0, 1, 2]),
        (["--backend", "claude"], [0, 2]),
        (["--status", "crashed", "--status", "completed"], [1, 2]),
        (["--tag", "auth"], [0, 1]),
        (["--tag", "auth", "--tag", "api"], [0]),
        (["--tag", "auth", "--tag", "api", "--tag-mode", "any"], [0, 1]),
        (["--backend", "claude", "--status", "active", "--limit", "5"], [0]),
        (["--project", "webshop"], [0]),
        (["--owner", "teammate"], [2]),
        (["--owner", "me"], []),
        (["--q", "登录"], [1]),
        (["--since", "1d"], [0, 1]),
        (["--until", "1d"], [2]),
        (["--sort", "last_active"], [2, 1, 0]),
        (["--limit", "2"], [0, 1]),
        (["--resumable", "yes", "--limit", "1"], [0]),
    ],
)
def test_filters_combine(three: list[str], arguments: list[str], places: list[int]) -> None:
    # C7
    # part of K6, C13, C14
    assert ids(*arguments) == [three[place] for place in places]


def test_a_list_goes_on_where_it_stopped(three: list[str]) -> None:
    first = json.loads(listed("--json", "--limit", "2"))
    rest = json.loads(listed("--json", "--limit", "2", "--cursor", first["next"]))
    assert ([item["id"] for item in rest["items"]], rest["next"]) == (three[2:], None)


def test_a_limit_above_one_page_is_kept(owner: User) -> None:
    for number in range(205):
        make_session(owner, short_id=f"aaaa{number:08}")
    found = ids("--limit", "203")
    assert len(found) == len(set(found)) == 203
    assert len(ids("--limit", "1000")) == 205


def test_with_a_name_only_what_that_person_may_see(owner: User, stranger: User) -> None:
    secret = make_session(owner, visibility="private", audience=-owner.pk)
    assert ids() == [secret.short_id]
    assert ids("--user", "owner", "--owner", "me") == [secret.short_id]
    assert ids("--user", "stranger") == []
    assert "nobody-here" in refused("--user", "nobody-here")


def test_an_empty_list_is_a_header_or_a_sentence(db: None) -> None:
    assert listed() == "ID  BACKEND  STATUS  LAST USED  TOKENS  TITLE/PROMPT\n"
    assert listed(screen=Screen()) == "No session matches.\n"
    assert json.loads(listed("--json")) == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--status", "broken"], "“broken” is no status"),
        (["--since", "soon"], "“soon” is no date"),
        (["--sort", "luck"], "“luck”"),
        (["--has", "luck\x1b[2J"], r"“luck\x1b[2J”"),
        (["--cursor", "x"], "broken"),
        (["--limit", "0"], "at least 1"),
    ],
)
def test_a_bad_value_is_named(db: None, arguments: list[str], sentence: str) -> None:
    assert sentence in refused(*arguments)


def test_a_terminal_gets_a_table_of_its_width(
    three: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm-256color")
    plain = listed("--no-color", "--limit", "2", screen=Screen()).splitlines()
    assert all(len(line) <= 60 for line in plain)
    assert plain[-1] == "There are more: --limit shows them."
    colored = listed(screen=Screen())
    assert "\x1b[32mactive" in colored


def test_escape_sequences_of_content_never_reach_the_terminal(owner: User) -> None:
    title = "\x1b]0;owned\x07\x1b[2J[red]x[/red]\x9b1mz"
    make_session(owner, title=title, backend="\x1b[2J")
    drawn = listed("--no-color", screen=Screen())
    for shown in (drawn, listed(), listed("--json")):
        assert not {"\x1b", "\x07", "\x9b"} & set(shown)
    assert r"\x1b]0;owned\x07\x1b[2J[red]x[/red]\x9b1mz" in listed()
    assert json.loads(listed("--json"))["items"][0]["title"] == title
