"""Three people, their browsers, and Chromium."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation

from sessions_app.models import User

# Playwright runs an event loop in the thread of the test, where Django would refuse the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

hypothesis.settings.register_profile("ours", deadline=None, database=None)
hypothesis.settings.load_profile("ours")


@pytest.fixture(autouse=True)
def english() -> None:
    """A request leaves its reader's language behind in the thread."""
    translation.activate("en")


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("owner", "owner@example.com", "owner-password")


@pytest.fixture
def teammate(db: None) -> User:
    return User.objects.create_user("teammate", "teammate@example.com", "teammate-password")


@pytest.fixture
def stranger(db: None) -> User:
    return User.objects.create_user("stranger", "stranger@example.com", "stranger-password")


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


@pytest.fixture
def owner_client(owner: User) -> Client:
    return signed_in(owner)


@pytest.fixture
def teammate_client(teammate: User) -> Client:
    return signed_in(teammate)


@pytest.fixture
def stranger_client(stranger: User) -> Client:
    return signed_in(stranger)


@pytest.fixture
def home() -> Path:
    """The scratch home in which the tests' agents keep their files."""
    return Path(os.environ["HOME"])


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    flags = "--disable-gpu --disable-background-networking --disable-component-update "
    flags += "--disable-sync --no-first-run"
    if os.geteuid() == 0:
        flags += " --no-sandbox"
    return {
        **browser_type_launch_args,
        "executable_path": os.environ.get("CHROMIUM", "/usr/bin/chromium"),
        "args": flags.split(),
    }


@pytest.fixture
def signed_in_page(owner: User, page: Any, live_server: Any) -> Any:
    """A browser in which the owner has signed in; addresses are relative to the live server."""
    cookie = signed_in(owner).cookies[settings.SESSION_COOKIE_NAME]
    page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": live_server.url}])
    return page
