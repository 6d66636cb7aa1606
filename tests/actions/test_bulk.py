"""Ids and rows by the thousand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from sessions_app.actions.bulk import allocate_ids, in_groups, insert_rows, moments, update_rows
from sessions_app.models import RawChunk, StoredFile, Tag

pytestmark = pytest.mark.django_db


def insert_tags(ids: Any) -> None:
    insert_rows(Tag, ("id", "name"), [(pk, f"tag {pk}") for pk in ids])


def test_no_id_is_handed_out_twice() -> None:
    given: list[int] = []
    for count in (3, 1, 0, 5):
        given += allocate_ids(Tag, count)  # asked again before the last ones are used
    insert_tags(given[:4])
    given += allocate_ids(Tag, 2)
    insert_tags(given[-2:])
    Tag.objects.filter(pk__in=given[-2:]).delete()  # the newest rows
    given += allocate_ids(Tag, 2)
    given.append(Tag.objects.create(name="by the database").pk)
    given += allocate_ids(Tag, 1)
    assert given == sorted(set(given))


def test_ids_go_on_behind_rows_that_came_with_their_own() -> None:
    taken = allocate_ids(Tag, 1)[0] + 1000
    insert_tags([taken])
    if connection.vendor == "sqlite":  # a sequence of PostgreSQL knows nothing of other ids
        assert allocate_ids(Tag, 1)[0] > taken
    assert Tag.objects.get(pk=taken).name == f"tag {taken}"


def test_rows_come_back_as_they_went_in() -> None:
    moment, at = moments(), datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
    [pk, other] = allocate_ids(StoredFile, 2)
    insert_rows(
        StoredFile,
        ("id", "sha256", "size", "created_at"),
        [(pk, "a\tb\\N\n", 2**63 - 1, moment(at)), (other, "", 0, moment(at.replace(second=0)))],
    )
    row = StoredFile.objects.get(pk=pk)
    assert (row.sha256, row.size, row.created_at) == ("a\tb\\N\n", 2**63 - 1, at)
    update_rows(StoredFile, ("size", "sha256"), [(7, "c", pk), (8, "d", other)])
    assert list(StoredFile.objects.order_by("pk").values_list("size", "sha256")) == [
        (7, "c"),
        (8, "d"),
    ]
    data = bytes(range(256))
    [pk] = allocate_ids(RawChunk, 1)
    insert_rows(RawChunk, ("id", "sha256", "size", "data"), [(pk, data[:32], 256, data)])
    assert bytes(RawChunk.objects.get(sha256=data[:32]).data) == data


def test_nothing_asks_for_nothing(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert list(allocate_ids(Tag, 0)) == []
        insert_rows(Tag, ("id", "name"), [])
        update_rows(Tag, ("name",), [])


def test_groups_hold_each_value_once() -> None:
    assert list(in_groups([1, 2, 1, 3], size=2)) == [[1, 2], [3]]
