"""Two sources about one session, and a folder that states how its session ended."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sessions_app.ingest.report import Report
from sessions_app.ingest.run import Wish, ingest
from sessions_app.models import AgentSession, User
from sessions_app.samples import copy_samples

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    return copy_samples(tmp_path, datetime.now(UTC))


@pytest.fixture
def read_again(owner: User, samples: Path) -> Callable[..., Report]:
    def run(*, full: bool = False) -> Report:
        return ingest(Wish(owner=owner, home=samples, paths=[samples], jobs=0, full=full))

    return run


def claude_record(samples: Path) -> Path:
    """clinvk's record of the session that Claude Code's own file tells in full."""
    paths = (samples / ".clinvk" / "sessions").glob("*.json")
    return next(path for path in paths if '"backend": "claude"' in path.read_text("utf-8"))


@pytest.mark.parametrize("full", [False, True])
def test_a_joining_record_never_touches_the_conversation(
    full: bool, samples: Path, read_again: Callable[..., Report]
) -> None:
    read_again()
    path = claude_record(samples)
    document = json.loads(path.read_text("utf-8"))
    identity = document["backend_session_id"]
    before = AgentSession.objects.get(identity=identity)
    assert before.message_count > 10
    path.write_text(json.dumps(document | {"status": "error", "tags": ["later"]}), "utf-8")
    read_again(full=full)
    after = AgentSession.objects.get(identity=identity)
    assert (after.message_count, after.total_tokens) == (before.message_count, before.total_tokens)
    assert (after.status, after.cost, after.source) == (before.status, before.cost, "claude-code")
    assert set(after.tag_links.values_list("tag__name", flat=True)) >= {"later", "checkout"}


@pytest.mark.parametrize("stated", ["paused", "completed", "crashed"])
def test_a_stated_end_counts_at_once(
    stated: str, samples: Path, read_again: Callable[..., Report]
) -> None:
    [facts] = (samples / ".kimi" / "sessions").glob("*/metadata.json")
    now = datetime.now(UTC).astimezone().replace(tzinfo=None)
    document = json.loads(facts.read_text("utf-8")) | {"last_active": now.isoformat()}
    for status in ("active", stated):
        facts.write_text(json.dumps(document | {"status": status}), "utf-8")
        read_again()
        session = AgentSession.objects.get(backend="kimi")
        assert session.status == status
    assert datetime.now(UTC) - session.last_active < timedelta(minutes=5)


def test_a_file_whose_name_is_no_text_stops_nothing(
    samples: Path, read_again: Callable[..., Report]
) -> None:
    store = samples / ".clinvk" / "sessions"
    (store / os.fsdecode(b"bad\xff.json")).write_text('{"id": "q", "backend": "claude"}')
    folder = samples / ".kimi" / "sessions" / os.fsdecode(b"bad\xfe")
    folder.mkdir()
    (folder / "messages.jsonl").write_text('{"role": "user", "content": "x"}\n')
    report = read_again()
    assert (report.failed, len(report.created)) == (2, 9)
    assert {Path(problem.path).parts[-1] for problem in report.problems} == {
        "bad\ufffd.json",
        "messages.jsonl",
    }
    assert {problem.reason for problem in report.problems} == {"its name is not UTF-8: rename it"}
