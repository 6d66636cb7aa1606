from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection


def test_home_and_data_are_scratch_folders(home: Path) -> None:
    assert tempfile.gettempdir() in str(home)
    assert tempfile.gettempdir() in str(settings.SESSIONS_DATA_DIR)


@pytest.mark.django_db
def test_the_asked_database_answers() -> None:
    wanted = {"sqlite": "sqlite", "postgres": "postgresql"}[
        os.environ.get("TEST_DATABASE", "sqlite")
    ]
    assert connection.vendor == wanted
    with connection.cursor() as cursor:
        cursor.execute("select 1")
        assert cursor.fetchone() == (1,)
