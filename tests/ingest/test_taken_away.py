"""Of a session that several files tell, one may vanish or be emptied: nothing is lost here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sessions_app.models import RawFile
from tests.dump import assert_same, dump
from tests.ingest.conftest import Read
from tests.invariants import raw_bytes

pytestmark = pytest.mark.django_db

SAMPLES = Path(__file__).parents[1] / "agents" / "samples"
CASES = ("gemini/rewound", "gemini/resumed", "kimi/context-only", "kimi/real-runs")


def conversations() -> dict[str, Any]:
    return {name: told["messages"] for name, told in dump()["sessions"].items()}


@pytest.mark.parametrize("fate", ["emptied", "gone"])
@pytest.mark.parametrize("case", CASES)
def test_every_file_alone(read: Read, tmp_path: Path, case: str, fate: str) -> None:
    home = shutil.copytree(SAMPLES / case / "home", tmp_path / "home")
    source = {case.partition("/")[0]}
    read(home, sources=source)
    before = conversations()
    for file in RawFile.objects.exclude(session=None):
        path = Path(file.path)
        data = path.read_bytes()
        path.write_bytes(b"") if fate == "emptied" else path.unlink()
        for full in (False, True):
            read(home, sources=source, full=full, checked=False)
            assert_same(conversations(), before)
        assert raw_bytes(RawFile.objects.get(pk=file.pk)) == data
        path.write_bytes(data)
        read(home, sources=source)
        assert_same(conversations(), before)


def test_what_is_left_may_still_go_on(read: Read, tmp_path: Path) -> None:
    home = shutil.copytree(SAMPLES / "gemini" / "rewound" / "home", tmp_path / "home")
    read(home, sources={"gemini"})
    row = RawFile.objects.exclude(main_path="").get()
    left, before = Path(row.path), conversations()
    Path(row.main_path).unlink()
    old = left.read_bytes()
    document = json.loads(old)
    late = {"id": "late-1", "timestamp": "2026-02-01T09:00:00Z", "type": "user", "content": "Late"}
    document["messages"].append(late)
    left.write_text(json.dumps(document))
    read(home, sources={"gemini"}, checked=False)
    after = conversations()
    assert {name: len(said) for name, said in after.items() if said != before[name]} == {
        name: len(said) + 1 for name, said in before.items() if after[name] != said
    }
    assert after != before
    row.refresh_from_db()
    assert (row.generation, raw_bytes(row, 1)) == (2, old)
