"""A real server that has read real sessions, and a browser that has signed in there."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from sessions_app.samples import copy_samples
from tests.serving import Served, free_port

SAMPLES = Path(__file__).parents[1] / "agents" / "samples"
HOSTILE = Path(__file__).parents[1] / "hostile"
LOCAL = ("http://127.0.0.1:", "data:", "about:")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("e2e")
    home = copy_samples(root / "home", datetime.now(UTC))
    for agent, folder in (("claude-code", ".claude"), ("codex", ".codex")):
        for real in SAMPLES.glob(f"{agent}/real*/home/{folder}"):
            shutil.copytree(real, home / folder, dirs_exist_ok=True)
    hostile = home / ".codex" / "sessions" / "2026" / "01" / "01"
    hostile.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(sorted(HOSTILE.glob("*codex.jsonl")), 1):
        stamp = f"rollout-2026-01-01T00-00-{number:02d}-{path.stem}.jsonl"
        shutil.copy(path, hostile / stamp)
    it = Served(root / "data", free_port(), home=home)
    it.get("/readyz")
    wait_for(lambda: "new sessions" in it.log.read_text(), it)
    yield it
    it.end(signal.SIGTERM)


def wait_for(done: Callable[[], bool], it: Served, patience: float = 120) -> None:
    deadline = time.monotonic() + patience
    while not done():
        assert time.monotonic() < deadline, it.log.read_text()
        time.sleep(0.1)


@pytest.fixture(scope="session")
def signed_in(server: Served, browser: Browser) -> dict[str, Any]:
    """Cookies of the admin, who followed the printed link."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.link)
    page.get_by_role("heading", name="Overview").wait_for()
    state = context.storage_state()
    context.close()
    return dict(state)


class Watched:
    """A page whose errors and requests to elsewhere are remembered."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.page: Page = context.new_page()
        self.base = base
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._console)
        self.page.on("dialog", lambda dialog: self.errors.append(f"dialog: {dialog.message}"))
        self.page.on("request", self._request)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def _request(self, request: Any) -> None:
        if not request.url.startswith(LOCAL):
            self.foreign.append(request.url)

    def open(self, path: str) -> Page:
        answer = self.page.goto(self.base + path)
        assert answer is not None and answer.status == 200, (path, answer and answer.status)
        return self.page

    def is_clean(self) -> bool:
        assert not self.errors, self.errors
        assert not self.foreign, self.foreign
        return True


@pytest.fixture
def open_browser(
    browser: Browser, server: Served, signed_in: dict[str, Any]
) -> Iterator[Callable[..., Watched]]:
    """A new signed-in browser window; its arguments are those of Playwright's contexts."""
    contexts: list[BrowserContext] = []

    def new(**options: Any) -> Watched:
        context = browser.new_context(storage_state=signed_in, **options)  # type: ignore[arg-type]
        contexts.append(context)
        return Watched(context, server.address)

    yield new
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def session_paths(server: Served, browser: Browser, signed_in: dict[str, Any]) -> list[str]:
    """The address of every session in the list, newest first."""
    context = browser.new_context(storage_state=signed_in)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{server.address}/sessions/?limit=100&kind=all")
    hrefs = page.eval_on_selector_all(
        "#session-table a[href^='/sessions/']", "all => all.map(a => a.getAttribute('href'))"
    )
    context.close()
    paths = [href.split("?")[0] for href in hrefs if href.count("/") == 3 and "?" not in href]
    return list(dict.fromkeys(paths))
