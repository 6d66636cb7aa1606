"""What was read, and what could not be."""

from __future__ import annotations

from datetime import timedelta

from sessions_app.models import IngestProblem, RawChunk, RawFile, RawPart, User
from sessions_app.queries.ingest_status import PROBLEMS_SHOWN, problem_page, source_totals
from tests.factories import NOON, make_session


def read_file(collector: User, source: str, number: int, **fields: object) -> RawFile:
    file = RawFile.objects.create(
        collector=collector, source=source, host="laptop", path=f"/{source}/{number}",
        raw_size=1000, first_read_at=NOON, last_read_at=NOON + timedelta(minutes=number),
        **fields,
    )  # fmt: skip
    chunk = RawChunk.objects.create(sha256=bytes([number] * 32), size=1000, data=b"x" * 100)
    RawPart.objects.create(file=file, generation=1, offset=0, chunk=chunk)
    return file


def test_totals_by_source(owner: User, stranger: User, admin_user: User) -> None:
    session = make_session(owner)
    read_file(owner, "codex", 1, session=session)
    read_file(owner, "codex", 2, session=session, failed=True)
    read_file(owner, "clinvk", 3)
    for part in ("/codex/1.meta", "/codex/1#ses"):  # what lies beside a file, and rows in one
        RawFile.objects.create(
            collector=owner, source="codex", host="laptop", path=part, main_path="/codex/1",
            session=session, raw_size=10, first_read_at=NOON, last_read_at=NOON,
        )  # fmt: skip
    codex = source_totals(owner)["codex"]
    assert (codex.files, codex.failed, codex.sessions) == (2, 1, 1)
    assert (codex.raw_bytes, codex.stored_bytes) == (2020, 200)
    assert codex.last_read_at == NOON + timedelta(minutes=2)
    assert source_totals(stranger) == {}
    assert source_totals(admin_user).keys() == {"codex", "clinvk"}


def test_problems_come_in_pages(owner: User) -> None:
    for line in range(PROBLEMS_SHOWN + 3):
        IngestProblem.objects.create(
            collector=owner, source="codex", path="/a", line=line, reason="torn", seen_at=NOON
        )
    first = problem_page(owner)
    assert (first.items[0].line, len(first.items), first.total) == (27, 25, 28)
    second = problem_page(owner, before=first.next)
    assert ([row.line for row in second.items], second.next) == ([2, 1, 0], None)


def test_problems_of_one_source(owner: User, stranger: User) -> None:
    for source in ("codex", "clinvk", ""):
        IngestProblem.objects.create(
            collector=owner, source=source, path=f"/{source}", reason="torn", seen_at=NOON
        )
    page = problem_page(owner, source="codex")
    assert ([row.path for row in page.items], page.total) == (["/codex"], 1)
    assert page.sources == ["clinvk", "codex"]
    assert problem_page(stranger).sources == []
