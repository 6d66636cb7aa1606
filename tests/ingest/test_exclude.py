"""What is excluded is never opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sessions_app.actions.exclude import add_rule, remove_rule
from sessions_app.ingest.exclude import at_home, complaint, matcher, matches
from sessions_app.models import AgentSession, RawFile, User
from tests.ingest.conftest import Read
from tests.ingest.talks import Talk

HOME = Path("/home/ann")


@pytest.mark.parametrize(
    "pattern, path, excluded",
    [
        ("~/private", "/home/ann/private/a/b.jsonl", True),
        ("~/private/", "/home/ann/private", True),
        ("~/private", "/home/ann/privateer/b.jsonl", False),
        ("~/private", "/home/bob/private/b.jsonl", False),
        ("~", "/home/ann/x", True),
        ("/srv/*/x.jsonl", "/srv/a/x.jsonl", True),
        ("/srv/*/x.jsonl", "/srv/a/b/x.jsonl", False),
        ("/srv/**/x.jsonl", "/srv/a/b/x.jsonl", True),
        ("/srv/**/x.jsonl", "/srv/x.jsonl", True),
        ("/srv/**", "/srv/a/b", True),
        ("secret", "/a/secret/b.jsonl", True),
        ("secret", "/a/secrets/b.jsonl", False),
        ("*secret*", "/a/-home-ann-Secret-shop/b.jsonl", True),
        ("a/b", "/x/a/b/c", True),
        ("a/b", "/x/ca/b/c", False),
        ("SECRET", "/a/secret/b", True),
        ("x?.jsonl", "/a/x1.jsonl", True),
        ("x?.jsonl", "/a/x12.jsonl", False),
        ("x[0-3].jsonl", "/a/x2.jsonl", True),
        ("x[!0-3].jsonl", "/a/x2.jsonl", False),
        ("x[!a]y", "/x/y", False),
        ("a+b(c)", "/x/a+b(c)", True),
        ("[", "/x/[", True),
        ("公开*", "/x/公开的/y", True),
    ],
)
def test_how_a_pattern_matches(pattern: str, path: str, excluded: bool) -> None:
    assert (path in matches(pattern, HOME, [path])) is excluded
    found = matcher([at_home(pattern, HOME)])
    assert found is not None and found(path) is excluded


@pytest.mark.parametrize(
    "pattern, wrong",
    [("/", "everything"), ("**", "everything"), ("~/", "everything"), ("  ", "everything"),
     ("*/*", "everything"), ("a\x01b", "control"), ("x[z-a]", "brackets"), ("~/x", "")],
)  # fmt: skip
def test_what_cannot_be_a_pattern(pattern: str, wrong: str) -> None:
    assert complaint(pattern) == wrong


def test_no_pattern_excludes_nothing() -> None:
    assert matcher([]) is None
    assert matcher([" "]) is None


def test_a_link_does_not_lead_around_a_rule(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "open").symlink_to(tmp_path / "private")
    excluded = matcher([str(tmp_path / "private")])
    assert excluded is not None and excluded(str(tmp_path / "open" / "x.jsonl"))


@pytest.mark.django_db
@pytest.mark.parametrize("jobs", [0, 1])
def test_an_excluded_file_is_not_even_opened(
    tmp_path: Path, read: Read, owner: User, jobs: int
) -> None:
    good = Talk("aaaaaaaa").turns(1).write(tmp_path)
    bad = Talk("bbbbbbbb").turns(1).write(tmp_path)
    elsewhere = tmp_path / "notes" / "private.jsonl"  # a reader would look into it to know it
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(Talk("cccccccc").turns(1).data())
    rules = [add_rule(pattern, by=owner) for pattern in (bad.name, "~/notes/**")]
    os.chmod(bad, 0o200)
    opened_at = [os.stat(path).st_atime_ns for path in (bad, elsewhere)]
    for paths in ({"paths": None}, {"paths": [tmp_path]}, {"paths": [good, bad, elsewhere]}):
        report = read(home=tmp_path, jobs=jobs, **paths)
        assert (report.failed, report.problems) == (0, [])
    assert [os.stat(path).st_atime_ns for path in (bad, elsewhere)] == opened_at
    assert list(AgentSession.objects.values_list("identity", flat=True)) == [good.stem]
    os.chmod(bad, 0o600)
    for rule in rules:
        remove_rule(rule)
    assert read(good, bad, elsewhere).parsed == 2


@pytest.mark.django_db
def test_files_beside_a_session_are_excluded_too(tmp_path: Path, read: Read, owner: User) -> None:
    folder = tmp_path / ".kimi" / "sessions" / "s1"
    (folder / "artifacts" / "secret").mkdir(parents=True)
    (folder / "artifacts" / "secret" / "key.txt").write_text("k")
    (folder / "artifacts" / "plan.md").write_text("p")
    (folder / "messages.jsonl").write_text(
        '{"role": "user", "content": "x", "timestamp": "2026-01-01T00:00:00"}\n'
    )
    (folder / "metadata.json").write_text('{"created_at": "2026-01-01T00:00:00", "total_steps": 1}')
    add_rule("artifacts/secret", by=owner)
    read(home=tmp_path, paths=None)
    session = AgentSession.objects.get()
    assert list(session.artifacts.values_list("path", flat=True)) == ["plan.md"]
    assert not RawFile.objects.filter(path__contains="secret").exists()


@pytest.mark.django_db
def test_a_later_rule_leaves_what_is_stored_and_stops_what_follows(
    tmp_path: Path, read: Read, owner: User
) -> None:
    talk = Talk("aaaaaaaa").turns(1)
    path = talk.write(tmp_path)
    read(home=tmp_path)
    add_rule(path.name, by=owner)
    path.write_bytes(talk.turns(1).data())
    assert read(home=tmp_path).seen == 0
    assert AgentSession.objects.get().message_count == 2
