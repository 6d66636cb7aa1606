"""Writers in a row."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction

from sessions_app.actions.transaction import record_alone, write_transaction
from sessions_app.models import Tag

only_sqlite = connection.vendor == "sqlite"


def somebody_waits() -> bool:
    """Whether another process would have to wait for the file's lock."""
    handle = os.open(Path(settings.SESSIONS_DATA_DIR) / "write.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


@pytest.mark.django_db(transaction=True)
def test_a_writer_holds_the_queue_until_its_outermost_transaction_ends() -> None:
    with write_transaction():
        with write_transaction():
            Tag.objects.create(name="inner")
        assert somebody_waits() == only_sqlite
    assert not somebody_waits()
    with pytest.raises(ZeroDivisionError), write_transaction():
        Tag.objects.create(name="undone")
        raise ZeroDivisionError
    assert not somebody_waits()
    assert list(Tag.objects.values_list("name", flat=True)) == ["inner"]


@pytest.mark.django_db(transaction=True)
def test_who_is_in_a_transaction_does_not_wait_for_the_queue() -> None:
    handle = os.open(Path(settings.SESSIONS_DATA_DIR) / "write.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)  # somebody else, who waits for SQLite's lock
    try:
        with transaction.atomic(), write_transaction():
            Tag.objects.create(name="through")
    finally:
        os.close(handle)
    assert Tag.objects.count() == 1


@pytest.mark.django_db
def test_recordings_come_one_at_a_time() -> None:
    record_alone()
    record_alone()  # joins itself
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
            assert cursor.fetchone()[0] >= 1
