"""Session files that somebody sends."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from sessions_app.actions.exclude import add_rule
from sessions_app.ingest.unpack import Refused, TooMuch
from sessions_app.ingest.upload import Uploaded, upload, uploads_folder
from sessions_app.models import AgentSession, IngestProblem, RawFile, User
from tests.ingest.talks import Talk
from tests.invariants import check_invariants, raw_bytes

pytestmark = pytest.mark.django_db

SAMPLES = Path(__file__).parents[1] / "agents" / "samples"
HOSTILE = Path(__file__).parents[1] / "hostile"


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    check_invariants()
    folder = uploads_folder()
    assert not folder.exists() or [path for path in folder.iterdir() if path.is_dir()] == []


def sent(name: str, data: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)


def zipped(files: dict[str, bytes], **options: Any) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data, **options)
    return out.getvalue()


def send(by: User, *files: tuple[str, bytes]) -> Uploaded:
    return upload([sent(name, data) for name, data in files], by=by)


def test_a_file_becomes_a_session_of_whoever_sends_it(owner: User, teammate: User) -> None:
    done = send(teammate, ("any name.jsonl", Talk("aaaaaaaa").turns(2).data()))
    session = AgentSession.objects.get(pk__in=done.report.created)
    assert (session.owner, session.collector, session.source) == (teammate, teammate, "upload")
    assert (session.backend, session.message_count, session.host) == ("claude", 4, "")
    assert (done.problems, done.unknown) == ([], [])


def test_sent_again_it_is_the_same_and_only_what_is_new_is_read(owner: User) -> None:
    talk = Talk("aaaaaaaa").turns(1)
    send(owner, ("a.jsonl", talk.data()))
    again = send(owner, ("a.jsonl", talk.data()))
    assert (again.report.created, again.report.messages) == (set(), 0)
    grown = send(owner, ("a.jsonl", talk.turns(1).data()))
    assert (len(grown.report.updated), grown.report.messages) == (1, 2)
    assert raw_bytes(RawFile.objects.get()) == talk.data()


def test_two_sessions_in_files_of_one_name_stay_two(owner: User) -> None:
    for name in ("aaaaaaaa", "bbbbbbbb"):
        send(owner, ("session.jsonl", Talk(name).turns(1).data()))
    assert AgentSession.objects.count() == RawFile.objects.count() == 2


def test_what_was_ingested_stays_of_its_source(owner: User, tmp_path: Path) -> None:
    from sessions_app.ingest.run import Wish, ingest

    talk = Talk("aaaaaaaa").turns(1)
    talk.write(tmp_path)
    ingest(Wish(owner=owner, home=tmp_path, jobs=0))
    send(owner, ("a.jsonl", talk.turns(1).data()))
    assert AgentSession.objects.get().source == "claude-code"


def homes() -> list[Path]:
    """A sample of every agent."""
    every = sorted(path for path in SAMPLES.glob("*/*/home") if path.is_dir())
    return [next(path for path in every if path.parts[-3] == name) for name in
            sorted({path.parts[-3] for path in every})]  # fmt: skip


@pytest.mark.parametrize("home", homes(), ids=lambda home: home.parts[-3])
@pytest.mark.parametrize("top", ["", "backup/ann/"])
def test_a_folder_of_any_agent_is_recognised(owner: User, home: Path, top: str) -> None:
    files = {
        top + path.relative_to(home).as_posix(): path.read_bytes()
        for path in home.rglob("*") if path.is_file()
    }  # fmt: skip
    done = send(owner, ("home.zip", zipped(files)))
    assert done.report.created, done
    assert set(AgentSession.objects.values_list("source", flat=True)) == {"upload"}
    again = send(owner, ("home.zip", zipped(files)))
    assert (again.report.created, again.report.messages) == (set(), 0)


def test_one_compressed_file(owner: User) -> None:
    done = send(owner, ("a.jsonl.gz", gzip.compress(Talk("aaaaaaaa").turns(1).data())))
    assert len(done.report.created) == 1


def test_good_and_bad_entries_are_told_apart(owner: User) -> None:
    good = Talk("aaaaaaaa").turns(1).data()
    done = send(owner, ("x.zip", zipped({
        ".claude/projects/p/a.jsonl": good, "../../slip.jsonl": good, "/etc/slip.jsonl": good,
        "C:/slip.jsonl": good, "a\\..\\slip.jsonl": good, ".claude/.credentials.json": b"{}",
        "readme.txt": b"hello", "n" * 300: b"x", "__MACOSX/a": b"x",
    })))  # fmt: skip
    assert len(done.report.created) == 1
    assert sorted(problem.path[:20] for problem in done.problems) == [
        "../../slip.jsonl", ".claude/.credentials", "/etc/slip.jsonl", "C:/slip.jsonl",
        "a\\..\\slip.jsonl", "n" * 20,
    ]  # fmt: skip
    assert done.unknown == ["readme.txt"]


@pytest.mark.parametrize("name", ["20_slip.zip", "21_symlink.zip"])
def test_nothing_is_laid_out_elsewhere(owner: User, name: str) -> None:
    before = {path for path in uploads_folder().parent.rglob("*") if "uploads" not in path.parts}
    done = send(owner, (name, (HOSTILE / name).read_bytes()))
    assert done.problems, "what was left out is named"
    after = {path for path in uploads_folder().parent.rglob("*") if "uploads" not in path.parts}
    assert {path for path in after - before if path.suffix not in (".lock", "")} == set()


@pytest.mark.parametrize(
    "name, data, wrong",
    [
        ("24_truncated.zip", None, "not a whole zip file"),
        ("23_overlap.zip", None, "overlap"),
        ("x.zip", b"PK\3\4" + b"\0" * 100, "not a whole zip file"),
        ("x.gz", b"\x1f\x8b" + b"\0" * 100, "not a whole gzip file"),
        ("x.gz", gzip.compress(b"abc" * 1000, mtime=0)[:-20], "not a whole gzip file"),
    ],
)
def test_what_is_broken_is_refused_with_a_reason(
    owner: User, settings: Any, name: str, data: bytes | None, wrong: str
) -> None:
    settings.SESSIONS_UPLOAD_MB = 10_000
    with pytest.raises(Refused, match=wrong):
        send(owner, (name, (HOSTILE / name).read_bytes() if data is None else data))
    assert not AgentSession.objects.exists()


def bombs() -> Iterator[tuple[str, bytes]]:
    zeros = b"\0" * 3_000_000
    yield "flat.zip", zipped({"a.jsonl": zeros})
    yield "many.zip", zipped({f"{number}.jsonl": zeros[:300_000] for number in range(10)})
    yield "entries.zip", zipped({str(number): b"" for number in range(10_001)})
    yield "bomb.jsonl.gz", gzip.compress(zeros)
    lying = zipped({"a.jsonl": zeros})
    size = len(zeros).to_bytes(4, "little")
    yield "lying.zip", lying.replace(size, (10).to_bytes(4, "little"))


@pytest.mark.parametrize("name, data", [pytest.param(*bomb, id=bomb[0]) for bomb in bombs()])
def test_what_unpacks_to_too_much_is_stopped(
    owner: User, settings: Any, name: str, data: bytes
) -> None:
    settings.SESSIONS_UPLOAD_MB = 2
    try:
        done = send(owner, (name, data))
    except TooMuch:
        assert name != "lying.zip"
    else:
        assert name == "lying.zip" and "cannot be unpacked" in done.problems[0].reason
    assert not AgentSession.objects.exists()


def test_a_broken_file_is_a_problem_that_names_what_was_sent(owner: User) -> None:
    torn = Talk("aaaaaaaa").turns(1).data() + b'{"type": "user"\x00, broken}\n' * 2
    done = send(owner, ("a.zip", zipped({"logs/.claude/projects/p/a.jsonl": torn})))
    assert {problem.path for problem in done.problems} == {"logs/.claude/projects/p/a.jsonl"}
    assert IngestProblem.objects.filter(collector=owner).exists()


def test_rules_hold_for_what_is_sent(owner: User) -> None:
    add_rule("private", by=owner)
    data = Talk("aaaaaaaa").turns(1).data()
    done = send(owner, ("a.zip", zipped({"private/a.jsonl": data})))
    assert done.report.created == set()


def test_what_it_says_of_folders_is_not_looked_up_here(owner: User, tmp_path: Path) -> None:
    """The repository of the server's own folder is none of the sender's business."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text(
        '[remote "origin"]\n\turl = git@example.com:a/b.git\n'
    )
    talk = Talk("aaaaaaaa").turns(1)
    for line in talk.lines:
        line["cwd"] = str(tmp_path)
    send(owner, ("a.jsonl", talk.data()))
    project = AgentSession.objects.get().project
    assert project is None or "example.com" not in project.key


def test_a_folder_of_the_plain_layout_is_recognised_anywhere(owner: User) -> None:
    meta = json.dumps({"created_at": "2026-01-01T00:00:00", "total_steps": 1})
    line = json.dumps({"role": "user", "content": "x", "timestamp": "2026-01-01T00:00:00"})
    files = {"s/metadata.json": meta.encode(), "s/messages.jsonl": line.encode() + b"\n"}
    done = send(owner, ("a.zip", zipped(files)))
    assert len(done.report.created) == 1
