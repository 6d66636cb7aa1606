"""Gemini CLI and Qwen Code in the store: what a log says about the log that bills were kept of."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Sum

from sessions_app.models import AgentSession, RawFile, RawPart, Usage
from tests.agents.google import SESSION, checkpoint, gemini, meta, tokens, user, write
from tests.ingest.conftest import Read
from tests.invariants import raw_bytes

pytestmark = pytest.mark.django_db

SAMPLES = Path(__file__).parents[1] / "agents" / "samples"
SUMS = ("input", "output", "cache_read", "cache_write", "reasoning")
HELLO, HI = user("u1", "Hello"), gemini("g1", "Hi!", tokens=tokens(10, 4, 1))
MORE, DONE = user("u2", "Go on", 5), gemini("g2", "Done.", 6, tokens=tokens(20, 0, 2))


def stored_tokens(session: AgentSession) -> dict[str, int]:
    return {name: getattr(session, f"{name}_tokens") for name in SUMS}


def texts() -> list[str]:
    session = AgentSession.objects.get(identity=SESSION)
    return list(session.messages.order_by("seq").values_list("text", flat=True))


@pytest.mark.parametrize("source", ["gemini", "qwen"])
@pytest.mark.parametrize("full", [False, True])
def test_what_was_billed_is_stored(source: str, full: bool, tmp_path: Path, read: Read) -> None:
    case = SAMPLES / source / "real-runs"
    home = shutil.copytree(case / "home", tmp_path / "home")
    expected: dict[str, Any] = json.loads((case / "expected.json").read_text("utf-8"))
    read(home, home=home)
    if full:
        assert read(home, home=home, full=True).failed == 0
    assert AgentSession.objects.count() == len(expected["sessions"])
    for identity, wanted in expected["sessions"].items():
        session = AgentSession.objects.get(identity=identity)
        counts = (session.user_messages, session.assistant_messages, session.tool_calls)
        told = (wanted["user_prompts"], wanted["assistant_messages"], wanted["tool_calls"])
        assert counts == told, identity
        assert session.open_tool_calls == wanted["unresolved_calls"]
        assert stored_tokens(session) == wanted["tokens"], identity
        assert (session.turn, session.work_dir) == (wanted["turn"], wanted["work_dir"])
        assert session.parent_links.count() == 0
    sums = Usage.objects.aggregate(**{name: Sum(name) for name in SUMS})
    assert (sums, Usage.objects.count()) == (
        expected["totals"]["tokens"],
        expected["totals"]["responses"],
    )


def test_an_unchanged_home_is_not_read_again(tmp_path: Path, read: Read) -> None:
    home = shutil.copytree(SAMPLES / "gemini" / "real-runs" / "home", tmp_path / "home")
    assert read(home, home=home).parsed == 8
    again = read(home, home=home)
    assert (again.parsed, again.unchanged) == (0, 8)


def test_a_rewind_takes_messages_away_and_no_tokens(tmp_path: Path, read: Read) -> None:
    write(tmp_path / "log.jsonl", meta(), HELLO, HI, MORE, DONE)
    read()
    before = stored_tokens(AgentSession.objects.get())
    kept = AgentSession.objects.get().messages.get(text="Hello").pk
    write(
        tmp_path / "log.jsonl", meta(), HELLO, HI, MORE, DONE, {"$rewindTo": "u2"}, user("u3", "No")
    )
    read()
    assert texts() == ["Hello", "Hi!", "No"]
    assert AgentSession.objects.get().messages.get(text="Hello").pk == kept
    assert stored_tokens(AgentSession.objects.get()) == before


def test_a_resume_loses_nothing(tmp_path: Path, read: Read) -> None:
    write(tmp_path / "log.jsonl", meta(), HELLO, HI)
    read()
    write(
        tmp_path / "log.jsonl",
        meta(),
        HELLO,
        HI,
        meta(),
        checkpoint(user("c", "<session_context>")),
    )
    read()
    assert texts() == ["Hello", "Hi!", "<session_context>"]
    lines = [
        meta(),
        HELLO,
        HI,
        meta(),
        checkpoint(HELLO, gemini("g1", [{"text": "Hi!"}])),
        MORE,
        DONE,
    ]
    write(tmp_path / "log.jsonl", *lines)
    read()
    session = AgentSession.objects.get()
    assert texts() == ["Hello", "Hi!", "Go on", "Done."]
    assert stored_tokens(session)["input"] == 26
    assert session.messages.get(text="Hi!").model == "gemini-test"


def test_a_document_is_replaced_by_its_next_form(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "session.json"
    long = {**meta(), "messages": [HELLO, HI, MORE, DONE]}
    for document in ({**meta(), "messages": [HELLO, HI]}, long):
        write(path, document)
        read()
    file = RawFile.objects.get()
    assert (texts(), file.generation) == (["Hello", "Hi!", "Go on", "Done."], 1)
    write(path, {**meta(), "messages": [HELLO, user("u3", "No", 9)]})
    read()
    file.refresh_from_db()
    assert (texts(), file.generation) == (["Hello", "No"], 2)
    assert json.loads(raw_bytes(file, 1)) == long
    assert raw_bytes(file) == path.read_bytes()
    assert Usage.objects.aggregate(sum=Sum("input"))["sum"] == 26


def test_vanished_and_emptied_files_change_nothing(tmp_path: Path, read: Read) -> None:
    home = shutil.copytree(SAMPLES / "gemini" / "real-runs" / "home", tmp_path / "home")
    read(home, home=home)
    before = list(AgentSession.objects.order_by("pk").values())
    for path in sorted(home.rglob("*.jsonl")):
        if "514eb0d5" in path.name:
            path.unlink()
        else:
            os.truncate(path, 0)
    assert read(home, home=home).failed == 0
    assert list(AgentSession.objects.order_by("pk").values()) == before


def test_both_files_of_a_session_are_kept_as_they_are(tmp_path: Path, read: Read) -> None:
    home = shutil.copytree(SAMPLES / "gemini" / "real-runs" / "home", tmp_path / "home")
    read(home, home=home)
    files = RawFile.objects.filter(path__contains="514eb0d5").order_by("path")
    assert len({file.session_id for file in files}) == 1
    for file in files:
        assert raw_bytes(file) == Path(file.path).read_bytes()
    assert RawPart.objects.filter(file__in=files).count() == 2
