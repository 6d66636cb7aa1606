from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import call_command

from sessions_app.actions.people import first_admin
from tests.bench import pages
from tests.bench.corpus import write_corpus
from tests.bench.ingest import append_line
from tests.bench.truth import compare


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_same_arguments_give_the_same_archive(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        write_corpus(folder, 0.3)
    assert contents(folders[0]) == contents(folders[1])
    assert json.loads((folders[0] / "truth.json").read_text())["sessions"] > 20


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def truth(db: None, home: Path) -> dict[str, object]:
    """An archive that was read into the store."""
    first_admin()
    found = write_corpus(home, 0.3)
    call_command("ingest_sessions", "--jobs", "0", "--quiet")
    return found


def test_what_the_store_finds_equals_the_truth(truth: dict[str, object]) -> None:
    # part of C19
    compared = list(compare(truth))
    assert len(compared) > 12
    assert [item for item in compared if item.found != item.wanted] == []


def test_a_difference_is_told(truth: dict[str, object]) -> None:
    wrong = [item.name for item in compare({**truth, "tool_calls": -1})]
    assert "tool_calls" in wrong


def test_an_appended_line_is_read_alone(truth: dict[str, object], home: Path) -> None:
    append_line(home, 1)
    call_command("ingest_sessions", "--jobs", "0", "--quiet")
    assert [item for item in compare(truth) if item.found != item.wanted] == []


def test_pages_are_measured(truth: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "REQUESTS", 2)
    measured = list(pages.measure())
    assert all(page.queries and page.size > 1000 for page in measured)
