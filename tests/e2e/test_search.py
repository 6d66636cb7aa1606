"""Search, from the box to the marked message, in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.e2e.conftest import Watched

pytestmark = pytest.mark.e2e

Open = Callable[..., Watched]
PHONE = {"width": 390, "height": 844}
MARKED = "CSS.highlights.get('found')?.size > 0"


def wait_until(done: Callable[[], bool]) -> None:
    """The page's own policy forbids Playwright's waiting, which evaluates text in it."""
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_from_a_word_to_its_message_and_on(open_browser: Open) -> None:
    watched = open_browser()
    page = watched.open("/search/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("cartlib")
    expect(page).to_have_url(re.compile(r"[?&]q=cartlib"))
    line = page.locator(".result-line").first
    expect(line.locator("mark").first).to_have_text(re.compile("cartlib", re.I))
    page.locator("#q").press("ArrowDown")
    expect(line).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/sessions/\w+/\?at=\d+&find=cartlib"))
    expect(page.locator(".finder-count")).to_have_text(re.compile(r"\d+ / \d+"))
    wait_until(lambda: page.evaluate(MARKED))
    page.locator("body").press("n")
    expect(page.locator(".finder-count")).to_have_text(re.compile(r"^[2-9]\d* / |^1 / 1$"))
    page.keyboard.press("Control+f")
    expect(page.locator("#find")).to_be_focused()
    assert watched.is_clean()


def test_the_finder_follows_what_is_typed(open_browser: Open) -> None:
    watched = open_browser()
    page = watched.open("/search/?q=cartlib")
    page.locator(".result-title a").first.click()
    page.locator("#find").fill("nowhereatall")
    expect(page.locator(".finder-count")).to_have_text("nothing")
    assert watched.is_clean()


def test_searching_needs_no_script(open_browser: Open) -> None:
    page = open_browser(java_script_enabled=False).open("/search/")
    page.locator("#q").fill("cartlib")
    page.get_by_role("button", name="Search").click()
    page.locator(".result-line").first.click()
    expect(page.locator("#transcript")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_no_search_has_an_accessibility_violation(
    open_browser: Open, scheme: str, language: str
) -> None:
    watched = open_browser(color_scheme=scheme)
    watched.page.context.add_cookies(
        [{"name": "django_language", "value": language, "url": watched.base}]
    )
    found: dict[str, Any] = {}
    for path in ["/search/", "/search/?q=cartlib", "/search/?q=nothing:here", "/search/?q=%22open"]:
        page = watched.open(path)
        for violation in Axe().run(page).response["violations"]:
            nodes = [node["html"][:160] for node in violation["nodes"][:3]]
            found[f"{path} {violation['id']}"] = nodes
    assert not found
    assert watched.is_clean()


def test_no_search_is_wider_than_a_phone(open_browser: Open) -> None:
    watched = open_browser(viewport=PHONE)
    for path in ["/search/", "/search/?q=cartlib", f"/search/?q={'x' * 900}"]:
        page = watched.open(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
