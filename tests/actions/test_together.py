"""Writes that wait at the same time share a commit, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection, transaction

from sessions_app.actions.together import write_together
from sessions_app.actions.transaction import write_transaction
from sessions_app.models import Tag

pytestmark = pytest.mark.django_db(transaction=True)


def in_threads(works: list[Callable[[], object]]) -> list[object]:
    """What each write answered or raised; all of them wait while the line is held."""
    found: list[object] = [None] * len(works)

    def run(place: int, work: Callable[[], object]) -> None:
        try:
            found[place] = write_together(work)
        except (ValueError, DatabaseError) as error:
            found[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(works)]
    with write_transaction():
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    return found


def make(name: str) -> Callable[[], object]:
    return lambda: Tag.objects.create(name=name).name


def fail() -> object:
    Tag.objects.create(name="never")
    raise ValueError("refused")


def break_a_rule() -> object:
    Tag.objects.create(name="never, too")
    return Tag.objects.bulk_create([Tag(name="twice"), Tag(name="twice")])


def test_each_gets_its_own_answer_and_its_own_error() -> None:
    names = [f"tag {number}" for number in range(6)]
    works = [*map(make, names[:3]), fail, break_a_rule, *map(make, names[3:])]
    found = in_threads(works)
    assert [found[place] for place in (0, 1, 2, 5, 6, 7)] == names
    assert isinstance(found[3], ValueError)
    assert isinstance(found[4], DatabaseError)
    assert set(Tag.objects.values_list("name", flat=True)) == set(names)


def test_inside_a_transaction_it_joins_and_keeps_its_savepoint() -> None:
    with transaction.atomic():
        write_together(make("kept"))
        with pytest.raises(ValueError, match="refused"):
            write_together(fail)
    assert [tag.name for tag in Tag.objects.all()] == ["kept"]


def test_what_runs_after_the_commit_may_write() -> None:
    def later() -> object:
        transaction.on_commit(lambda: write_together(make("after")))
        return None

    write_together(later)
    assert Tag.objects.filter(name="after").exists()
