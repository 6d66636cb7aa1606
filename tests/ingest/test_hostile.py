"""Hostile files: what is good is kept in order, what is bad is counted and named."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sessions_app.models import AgentSession, IngestProblem, Message, Usage
from tests.ingest.conftest import Read

pytestmark = pytest.mark.django_db

HOSTILE = Path(__file__).parents[1] / "hostile"


@pytest.fixture
def stored(read: Read, tmp_path: Path) -> dict[str, AgentSession]:
    """Each hostile file, read, by the first two digits of its name."""
    for path in HOSTILE.glob("*codex.jsonl"):
        shutil.copy(path, tmp_path / f"rollout-2026-01-01T00-00-{path.name[:2]}-{path.stem}.jsonl")
    read(tmp_path)
    found = {}
    for session in AgentSession.objects.all():
        raw = session.raw_files.get()
        found[Path(raw.path).stem.split("-")[-1][:2]] = session
    return found


def test_every_file_is_a_session(stored: dict[str, AgentSession]) -> None:
    assert set(stored) == {f"{number:02d}" for number in range(1, 11)}


def test_markup_is_stored_as_it_was_said(stored: dict[str, AgentSession]) -> None:
    said = "".join(stored["01"].messages.values_list("text", flat=True))
    assert "<script>" in said or "<img" in said


def test_broken_text_is_repaired(stored: dict[str, AgentSession]) -> None:
    said = list(stored["03"].messages.values_list("text", flat=True))
    assert len(said) == 5
    assert not any("\0" in text for text in said)
    assert any("\ufffd" in text for text in said)
    assert any("\u2028" in text for text in said)
    for text in said:
        text.encode()


def test_impossible_numbers_count_as_zero_and_are_flagged(stored: dict[str, AgentSession]) -> None:
    usages = Usage.objects.filter(session=stored["04"])
    assert usages.filter(is_flagged=True).exists()
    assert all(0 <= usage.input < 2**63 for usage in usages)
    assert stored["04"].total_tokens >= 0


def test_a_future_time_is_not_the_last_sign_of_life(stored: dict[str, AgentSession]) -> None:
    session = stored["05"]
    assert session.last_active < datetime.now(UTC) + timedelta(minutes=1)
    assert session.last_active.year <= 2026
    times = Message.objects.filter(session=session, at__isnull=False)
    assert all(message.at < datetime.now(UTC) for message in times if message.at)
    assert session.messages.count() == 6


def test_garbage_costs_only_itself(stored: dict[str, AgentSession]) -> None:
    session = stored["06"]
    assert session.messages.filter(kind__in=("prompt", "answer")).count() == 2
    problems = IngestProblem.objects.filter(session=session)
    assert problems.exists()
    assert all(problem.reason and problem.path for problem in problems)


def test_reading_them_twice_adds_nothing(
    stored: dict[str, AgentSession], read: Read, tmp_path: Path
) -> None:
    messages, problems = Message.objects.count(), IngestProblem.objects.count()
    assert read(tmp_path).parsed == 0
    assert (Message.objects.count(), IngestProblem.objects.count()) == (messages, problems)
    read(tmp_path, full=True)
    assert (Message.objects.count(), IngestProblem.objects.count()) == (messages, problems)
