"""A session that goes on in its file while its page is open, and files that are sent."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Response, expect

from tests.e2e.conftest import Watched
from tests.ingest.talks import Talk
from tests.serving import Served

pytestmark = pytest.mark.e2e

Open = Callable[..., Watched]
PATIENCE = 30_000


def recent(name: str) -> Talk:
    talk = Talk(name)
    talk.now = datetime.now(UTC) - timedelta(minutes=25)
    return talk


def find(watched: Watched, text: str) -> str:
    """The address of the session with this prompt, as soon as it is listed."""
    link = watched.page.locator("#session-table tbody").get_by_role("link", name=text).first
    for _ in range(30):
        watched.open("/sessions/")
        if link.count():
            break
        watched.page.wait_for_timeout(500)
    return link.get_attribute("href") or ""


def append(path: Path, talk: Talk) -> None:
    """Only the last line, as an agent writes it."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(talk.lines[-1]) + "\n")


def test_a_line_in_the_file_shows_up_on_the_open_page(
    open_browser: Open, served_home: Path
) -> None:
    talk = recent("eeee0001").turns(40)
    path = talk.write(served_home)
    watched = open_browser()
    page = watched.open(find(watched, f"Question {talk.name} 0"))
    expect(page.locator(".message")).to_have_count(80)
    talk.turns(1)
    talk.lines.pop()
    append(path, talk)
    news = page.get_by_text(f"Question {talk.name} 80", exact=True)
    expect(news).to_be_attached(timeout=PATIENCE)
    assert page.evaluate("scrollY") == 0, "the reader was taken away"
    button = page.get_by_role("button", name="New messages below")
    button.click()
    talk.turns(1)
    append(path, talk)
    expect(page.get_by_text("Answer 81")).to_be_in_viewport(timeout=PATIENCE)
    assert watched.is_clean()


def test_a_quiet_page_is_answered_304_and_a_hidden_one_asks_nothing(
    open_browser: Open, session_paths: list[str]
) -> None:
    watched = open_browser()
    page = watched.open(session_paths[0])
    answers: list[int] = []

    def note(answer: Response) -> None:
        if "since_revision" in answer.url:
            answers.append(answer.status)

    page.on("response", note)
    page.wait_for_timeout(6_000)
    assert len(answers) >= 3
    assert set(answers[1:]) == {304}
    page.evaluate(
        "() => { Object.defineProperty(document, 'hidden', { get: () => true });"
        " document.dispatchEvent(new Event('visibilitychange')); }"
    )
    page.wait_for_timeout(500)
    asked = len(answers)
    page.wait_for_timeout(4_000)
    assert len(answers) == asked


@pytest.mark.parametrize("script", [True, False], ids=["htmx", "plain form"])
def test_a_zip_is_sent_and_leads_to_its_session(
    open_browser: Open, script: bool, tmp_path: Path
) -> None:
    name = "eeee0002" if script else "eeee0003"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(f"logs/{name}.jsonl", Talk(name).turns(1).data())
        archive.writestr("../elsewhere.jsonl", b"{}")
    (tmp_path / "logs.zip").write_bytes(out.getvalue())
    watched = open_browser(java_script_enabled=script)
    page = watched.open("/ingest/")
    page.get_by_label(re.compile("Session files")).set_input_files(tmp_path / "logs.zip")
    page.get_by_role("button", name="Send", exact=True).click()
    result = page.locator("#upload .uploaded")
    expect(result).to_contain_text("New sessions: 1")
    expect(result).to_contain_text("../elsewhere.jsonl")
    if script:
        assert page.url.endswith("/ingest/")
        assert Axe().run(page).response["violations"] == []
    result.get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Question")
    assert watched.is_clean()


def test_a_rule_is_made_and_removed(open_browser: Open) -> None:
    watched = open_browser()
    page = watched.open("/ingest/")
    page.get_by_label("Path pattern").fill("**")
    page.get_by_role("button", name="Never read these").click()
    expect(page.get_by_role("alert")).to_contain_text("everything")
    page.get_by_label("Path pattern").fill("no-such-folder")
    page.get_by_role("button", name="Never read these").click()
    rules = page.locator("#rules")
    expect(rules.locator("li")).to_have_count(1)
    rules.get_by_role("link", name="Stored sessions that match").click()
    expect(page.locator("main")).to_contain_text("Nothing that is stored")
    watched.open("/ingest/")
    rules.get_by_role("button", name="Remove").click()
    expect(rules.locator("li")).to_have_count(0)
    assert watched.is_clean()


@pytest.fixture
def served_home(server: Served) -> Path:
    """The home that the server reads."""
    assert server.home is not None
    return server.home


@pytest.mark.parametrize("options", [{"color_scheme": "dark"}, {"color_scheme": "light"}])
def test_the_upload_page_is_accessible(open_browser: Open, options: dict[str, Any]) -> None:
    watched = open_browser(**options)
    assert Axe().run(watched.open("/ingest/upload/")).response["violations"] == []
    watched.page.set_viewport_size({"width": 390, "height": 844})
    assert watched.page.evaluate("document.documentElement.scrollWidth") == 390
