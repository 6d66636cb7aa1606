"""One person's way through the product, in a real browser against the real server."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Watched

pytestmark = pytest.mark.e2e

Open = Callable[..., Watched]
PHONE = {"width": 390, "height": 844}
PROMPT = "Build a small Python package called cartlib"


def find_session(page: Page, text: str) -> None:
    page.get_by_role("searchbox").first.fill(text)
    page.get_by_role("searchbox").first.press("Enter")
    expect(page).to_have_url(re.compile("[?&]q="))
    expect(page.locator("#session-table")).to_contain_text(text)


def test_from_the_overview_to_a_tool_call_and_out(open_browser: Open) -> None:
    watched = open_browser()
    page = watched.open("/")
    expect(page.locator("main")).to_contain_text("crashed")
    page.get_by_role("link", name="Sessions", exact=True).first.click()
    find_session(page, PROMPT)
    page.reload()
    expect(page.locator("#session-table")).to_contain_text(PROMPT)
    page.locator("#session-table tbody").get_by_role("link", name=PROMPT).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(PROMPT)
    call = page.locator("details", has_text="cartlib/cart.py").first
    call.locator("summary").first.click()
    expect(call).to_contain_text("class Cart")
    page.go_back()
    expect(page.locator("#session-table")).to_contain_text(PROMPT)
    assert watched.is_clean()


def test_a_filter_swaps_only_the_table_and_stays_in_the_address(open_browser: Open) -> None:
    watched = open_browser()
    page = watched.open("/sessions/?status=crashed")
    page.evaluate("window.mark = 1")
    expect(page.locator("#session-table")).to_contain_text("crashed")
    find_session(page, "README")
    assert "status=crashed" in page.url
    assert page.evaluate("window.mark") == 1, "the whole page was loaded again"
    assert watched.is_clean()


def test_it_speaks_chinese_and_remembers_it(open_browser: Open) -> None:
    watched = open_browser()
    page = watched.open("/")
    page.locator("#account-menu summary").click()
    page.get_by_role("button", name="简体中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    watched.open("/sessions/")
    expect(page.get_by_role("heading", level=1)).to_have_text("会话")
    page.locator("#account-menu summary").click()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sessions")
    assert watched.is_clean()


def test_reading_needs_no_script(open_browser: Open) -> None:
    page = open_browser(java_script_enabled=False).open(f"/sessions/?q={PROMPT}")
    page.locator("#session-table tbody").get_by_role("link", name=PROMPT).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(PROMPT)
    call = page.locator("details", has_text="cartlib/cart.py").first
    call.locator("summary").first.click()
    link = call.get_by_role("link").first
    if link.count():
        link.click()
    expect(page.locator("body")).to_contain_text("class Cart")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_no_page_has_an_accessibility_violation(
    open_browser: Open, session_paths: list[str], scheme: str, language: str
) -> None:
    watched = open_browser(color_scheme=scheme)
    watched.page.context.add_cookies(
        [{"name": "django_language", "value": language, "url": watched.base}]
    )
    found: dict[str, Any] = {}
    for path in ["/", "/sessions/", "/ingest/", *session_paths[:6]]:
        page = watched.open(path)
        for violation in Axe().run(page).response["violations"]:
            nodes = [node["html"][:160] for node in violation["nodes"][:3]]
            found[f"{path} {violation['id']}"] = nodes
    assert not found
    assert watched.is_clean()


def test_no_page_is_wider_than_a_phone(open_browser: Open, session_paths: list[str]) -> None:
    watched = open_browser(viewport=PHONE)
    wide = []
    for path in ["/", "/sessions/", "/ingest/", *session_paths]:
        page = watched.open(path)
        if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            wide.append(path)
    assert not wide


def test_hostile_transcripts_do_nothing(open_browser: Open, session_paths: list[str]) -> None:
    """Nothing in a transcript runs, loads from elsewhere, or takes the reader away."""
    watched = open_browser()
    for path in session_paths:
        page = watched.open(f"{path}?system=1")
        for summary in page.locator("main details > summary").all()[:15]:
            if summary.is_visible():
                summary.click()
        assert page.evaluate("Object.keys(window).filter(k => k.startsWith('__x'))") == []
        assert page.url.startswith(watched.base + path)
        assert page.locator("main :is([onclick], [onerror], [onload], style)").count() == 0
    assert watched.is_clean()
