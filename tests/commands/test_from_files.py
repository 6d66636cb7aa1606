"""From the files that agents left to what the commands tell of every run."""

from __future__ import annotations

import json
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from sessions_app.actions.people import first_admin
from sessions_app.models import Usage, UsageRollup

SAMPLES: Path = settings.BASE_DIR / "tests" / "agents" / "samples"


@pytest.fixture
def home(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    first_admin()
    for case in ("clinvk/store", "claude-code/real-runs"):
        shutil.copytree(SAMPLES / case / "home", tmp_path, dirs_exist_ok=True)
    return tmp_path


def told(*arguments: str) -> Any:
    out = StringIO()
    call_command(*arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def by_native_id() -> dict[str, Any]:
    items = told("list_sessions", "--kind", "all", "--limit", "200")["items"]
    return {item["backend_session_id"]: item for item in items}


def test_every_run_is_tracked_with_all_that_its_record_tells(home: Path) -> None:
    # C1 C3
    told("ingest_sessions")
    session = by_native_id()["sess_abc123"]
    assert session == told("show_session", session["id"])
    wanted = {
        "backend": "claude",
        "source": "clinvk",
        "model": "claude-opus-4-5-20251101",
        "created_at": "2025-01-27T10:00:00Z",
        "last_active": "2025-01-27T11:30:00Z",
        "work_dir": "/projects/myapp",
        "prompt": "fix the bug in auth.go",
        "tags": ["auth", "bugfix"],
        "exit_code": 0,
        "duration_seconds": 2.5,
        "resumable": True,
        "resume_command": "cd /projects/myapp && claude --resume sess_abc123",
    }
    assert {name: session[name] for name in wanted} == wanted
    assert session["token_usage"]["total"] == 6912


def test_the_backends_own_file_and_the_record_are_one_session(home: Path) -> None:
    [log] = (home / ".claude" / "projects").glob("*/638c296c-*.jsonl")
    record = {
        "id": "0123456789abcdef",
        "backend": "claude",
        "backend_session_id": log.stem,
        "status": "completed",
        "last_used": "2026-11-21T10:00:00Z",
        "tags": ["joined"],
        "token_usage": {"input_tokens": 999_999, "output_tokens": 1},
    }
    told("ingest_sessions")
    before = by_native_id()
    (home / ".clinvk" / "sessions" / "0123456789abcdef.json").write_text(json.dumps(record))
    told("ingest_sessions")
    after = by_native_id()
    assert set(after) == set(before)
    assert "joined" in after[log.stem]["tags"]
    assert after[log.stem]["token_usage"] == before[log.stem]["token_usage"]
    assert after[log.stem]["source"] == "claude-code"


def test_a_second_reading_finds_nothing_new(home: Path) -> None:
    first = told("ingest_sessions")
    assert first["files"]["parsed"] > 10 and first["sessions"]["created"] > 10
    again = told("ingest_sessions")
    assert again["files"]["parsed"] == again["messages"] == 0
    assert again["sessions"] == {"created": 0, "updated": 0}
    assert again["files"]["unchanged"] == first["files"]["seen"]


def test_new_sessions_get_the_default_tags(home: Path, settings: Settings) -> None:
    # part of C13 and C18
    settings.SESSIONS_DEFAULT_TAGS = ["team", "by-${USER}"]
    told("ingest_sessions")
    assert all({"team", "by-admin"} <= set(item["tags"]) for item in by_native_id().values())


def test_token_usage_is_not_kept_when_it_is_not_wanted(
    home: Path, settings: Settings, client: Client
) -> None:
    # part of C18
    settings.SESSIONS_STORE_TOKEN_USAGE = False
    told("ingest_sessions")
    items = by_native_id().values()
    assert {item["token_usage"]["total"] for item in items} == {0}
    assert {item["cost"]["complete"] for item in items} == {False}
    assert not Usage.objects.exists() and not UsageRollup.objects.exists()
    client.force_login(first_admin(), backend=settings.AUTHENTICATION_BACKENDS[0])
    pages = ["/", "/sessions/", *(f"/sessions/{item['id']}/" for item in items)]
    for page in pages:
        assert "Tokens and costs are not kept here" in client.get(page).text, page
