"""The documentation tells of everything that there is, and of nothing that there is not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import BaseCommand, get_commands, load_command_class
from django.urls import URLPattern, URLResolver

from dashboard.urls import urlpatterns
from sessions_app.agents import AGENTS, UNCHECKED
from sessions_app.queries.filters import FILTERS
from sessions_app.queries.lists import SORTS

ROOT: Path = settings.BASE_DIR
DOCS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
MARKDOWN = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
READ_SETTING = re.compile(r"(?:env\.\w+|environ\.get|text)\(\s*\"([A-Z][A-Z_]+)\"")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ELSEWHERE = ("http://", "https://", "mailto:")


def read_settings() -> set[str]:
    """The names that our settings look up in the environment."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "dashboard").glob("*.py")]
    return {name for source in sources for name in READ_SETTING.findall(source)}


def documented_settings() -> set[str]:
    return set(re.findall(r"^\| `([A-Z_]+)` \|", DOCS["settings.md"], re.MULTILINE))


def our_commands() -> list[str]:
    return sorted(name for name, app in get_commands().items() if app == "sessions_app")


def addresses(patterns: Sequence[URLPattern | URLResolver], before: str = "/") -> Iterator[str]:
    """Ours in full; of included applications only where they begin."""
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if not isinstance(pattern, URLResolver):
            yield re.sub(r"<\w+:(\w+)>", r"<\1>", route).replace("<short_id>", "<id>")
        elif getattr(pattern.urlconf_module, "__name__", "").startswith("sessions_app."):
            yield from addresses(pattern.url_patterns, route)
        elif not route.startswith("/i18n/"):
            yield route


def anchors(file: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = HEADING.findall(file.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("agent", AGENTS, ids=lambda agent: agent.name)
def test_every_agent_has_a_chapter(agent: object) -> None:
    name, label = getattr(agent, "name", ""), getattr(agent, "label", "")
    chapters = dict(
        re.findall(r"^## (.+)\n\n((?:(?!^## ).*\n?)*)", DOCS["agents.md"], re.MULTILINE)
    )
    assert f"`{name}`" in chapters[label]
    assert ("**Not checked.**" in chapters[label]) == (name in UNCHECKED)
    told = re.findall(r"^\*\*(.+?)\.\*\*", chapters[label], re.MULTILINE)
    assert {"Where", "What is read", "Tokens", "Resume", "Not read"} <= set(told)


def test_the_readme_and_the_commands_name_every_agent() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {agent.name for agent in AGENTS if agent.label in readme}
    assert named == {agent.name for agent in AGENTS} - UNCHECKED
    assert [agent.name for agent in AGENTS if agent.name not in DOCS["commands.md"]] == []


@pytest.mark.parametrize("name", our_commands())
def test_every_command_and_its_options_are_told(name: str) -> None:
    chapters = re.split(r"^## ", DOCS["commands.md"], flags=re.MULTILINE)
    [chapter] = [text for text in chapters if text.startswith(f"{name}\n")]
    common = {action.dest for action in BaseCommand().create_parser("", "")._actions}
    parser = load_command_class("sessions_app", name).create_parser("manage.py", name)
    options = [
        action.option_strings[-1]
        for action in parser._actions
        if action.option_strings and action.dest not in common
    ]
    assert [option for option in options if option not in chapter] == []


def test_no_command_is_told_that_does_not_exist() -> None:
    headings = re.findall(r"^## ([a-z_]+)$", DOCS["commands.md"], re.MULTILINE)
    assert set(headings) == set(our_commands())


def test_every_setting_is_told_and_no_other() -> None:
    assert documented_settings() == read_settings()


def test_the_example_file_knows_only_settings_that_there_are() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    names = set(re.findall(r"^# ([A-Z_]+)=", example, re.MULTILINE))
    assert names <= read_settings()


def test_every_address_is_told() -> None:
    told = set(re.findall(r"`(/[^`]*)`", DOCS["pages.md"]))
    assert set(addresses(urlpatterns)) - told == set()


def test_every_filter_and_order_is_told() -> None:
    rows = re.findall(r"^\| (`.+?) \| (.+) \|$", DOCS["pages.md"], re.MULTILINE)
    told = {name for cell, _ in rows for name in re.findall(r"`(\w+)`", cell)}
    assert {item.name for item in FILTERS} <= told
    [orders] = [text for cell, text in rows if cell == "`sort`"]
    assert [
        name for name in SORTS if f"`{name}`" not in orders and f"`-{name}`" not in orders
    ] == []


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    for file in MARKDOWN:
        named = re.findall(r"(?:^    |`)make ([a-z]+)\b", file.read_text("utf-8"), re.MULTILINE)
        assert set(named) <= targets, file.name


@pytest.mark.parametrize("file", MARKDOWN, ids=lambda file: file.name)
def test_no_link_is_dead(file: Path) -> None:
    dead = []
    for link in LINK.findall(file.read_text(encoding="utf-8")):
        if link.startswith(ELSEWHERE):
            continue
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def test_the_readme_lists_every_page_of_the_documentation() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in DOCS if f"(docs/{name})" not in readme] == []
    assert len(readme.splitlines()) < 130
