"""Forks that hold only their own turns: where they left their parent, whoever is read first."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

import pytest

from sessions_app.models import AgentSession, Message, Relation, User
from sessions_app.models.session import audience_of_user
from sessions_app.queries.inherited import inherited
from sessions_app.queries.kinship import descents
from tests.ingest.conftest import Read

pytestmark = pytest.mark.django_db(transaction=True)
HOME = Path(__file__).parents[1] / "agents" / "samples" / "codex" / "real-runs" / "home"
PARENT = "01a1fd6a-baec-7612-97e9-76ca031aed6e"
FORK = "01a1fd6a-bfa3-7611-aa09-aa0916183eca"
GRANDCHILD = "0199f000-2222-7000-8000-000000000000"


def logs(tmp_path: Path) -> dict[str, Path]:
    """The parent's and the fork's file, of a copy that holds nothing else."""
    found = {}
    for path in copytree(HOME, tmp_path / "home").rglob("rollout-*.jsonl"):
        name = next((name for name in (PARENT, FORK) if name in path.name), "")
        found[name] = path
        if not name:
            path.unlink()
    return found


def parted() -> int | None:
    return Relation.objects.get(child__identity=FORK).forked_at_seq


def session(identity: str) -> AgentSession:
    return AgentSession.objects.get(identity=identity)


@pytest.mark.parametrize("first", [PARENT, FORK])
def test_the_fork_parts_after_all_that_its_parent_had_said(
    first: str, read: Read, tmp_path: Path, owner: User
) -> None:
    files = logs(tmp_path)
    read(files[first])
    read(tmp_path / "home")
    parent, fork = session(PARENT), session(FORK)
    assert parted() == parent.last_seq > 0
    assert descents([fork], owner)[fork.pk].forked_at_seq == parent.last_seq
    assert [(item.session, item.last_seq) for item in inherited(fork, owner)] == [
        (parent, parent.last_seq)
    ]
    assert inherited(parent, owner) == []


def test_what_the_parent_says_later_is_not_the_forks(
    read: Read, tmp_path: Path, owner: User
) -> None:
    files = logs(tmp_path)
    whole = files[PARENT].read_bytes().splitlines(keepends=True)
    files[PARENT].write_bytes(b"".join(whole[:30]))
    read(tmp_path / "home")
    early = parted()
    files[PARENT].write_bytes(b"".join(whole))
    read(tmp_path / "home")
    last = session(PARENT).last_seq
    assert (early or 0) < last == parted()
    with files[PARENT].open("ab") as log:
        for number in (55, 56):
            said = {"type": "message", "role": "user", "id": f"msg_later_and_later_{number}",
                    "content": [{"type": "input_text", "text": "and now?"}]}  # fmt: skip
            line = {"timestamp": "2026-11-21T10:00:00Z", "ordinal": number,
                    "type": "response_item", "payload": said}  # fmt: skip
            log.write(json.dumps(line).encode() + b"\n")
    read(tmp_path / "home")
    assert (session(PARENT).last_seq, parted()) == (last + 2, last)


def test_a_parent_that_is_read_anew_keeps_the_place(read: Read, tmp_path: Path) -> None:
    files = logs(tmp_path)
    read(tmp_path / "home")
    before = parted()
    read(tmp_path / "home", full=True)
    assert parted() == before
    first = json.loads(files[PARENT].read_text().splitlines()[0])
    assert Message.objects.filter(session__identity=PARENT).count() == before
    assert first["ordinal"] == 0


@pytest.mark.parametrize(("until", "own", "of_parent"), [(72, True, 55), (40, False, 40)])
def test_a_forks_fork_has_what_came_before_both(
    until: int, own: bool, of_parent: int, read: Read, tmp_path: Path, owner: User
) -> None:
    """One that left inside what its parent inherits has nothing of the parent itself."""
    files = logs(tmp_path)
    meta = {"id": GRANDCHILD, "forked_from_id": FORK, "forked_from_ordinal_exclusive": until}
    said = {"type": "message", "role": "user", "id": "msg_of_the_grandchild_itself",
            "content": [{"type": "input_text", "text": "once more"}]}  # fmt: skip
    told = enumerate([("session_meta", meta), ("response_item", said)], start=until)
    lines = [
        {"timestamp": "2026-11-21T10:00:00Z", "ordinal": place, "type": kind, "payload": item}
        for place, (kind, item) in told
    ]
    name = f"rollout-2026-11-21T10-00-00-{GRANDCHILD}.jsonl"
    files[FORK].with_name(name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    read(tmp_path / "home")
    chain = {item.session.identity: item.last_seq for item in inherited(session(GRANDCHILD), owner)}
    assert (FORK in chain) == own
    rows = Message.objects.filter(session__identity=PARENT).order_by("seq")
    places = [json.loads(text)["ordinal"] for text in rows.values_list("metadata", flat=True)]
    assert chain[PARENT] == sum(place < of_parent for place in places)


def test_others_do_not_see_a_private_parent(
    read: Read, tmp_path: Path, owner: User, teammate: User
) -> None:
    logs(tmp_path)
    read(tmp_path / "home")
    assert inherited(session(FORK), teammate) != []
    AgentSession.objects.filter(identity=PARENT).update(
        visibility="private", audience=audience_of_user(owner.pk)
    )
    assert inherited(session(FORK), teammate) == []
    assert inherited(session(FORK), owner) != []
