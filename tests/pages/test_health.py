"""Whether the process is up, and whether it can work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, override_settings

from sessions_app.pages import health


def test_healthz_asks_nothing_of_the_database(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"ok": True})
    assert "no-store" in response["Cache-Control"]


def test_healthz_does_not_look_up_who_asks(
    owner_client: Client, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert owner_client.get("/healthz").status_code == 200


def test_readyz_checks_database_migrations_and_disk(client: Client, db: None) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {
        "ok": True,
        "checks": {"database": "ok", "migrations": "ok", "disk": "ok"},
    }


def test_an_unapplied_migration_is_not_ready(client: Client, db: None) -> None:
    [latest] = MigrationLoader(connection).graph.leaf_nodes("sessions_app")
    MigrationRecorder(connection).record_unapplied(*latest)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "unapplied" in response.json()["checks"]["migrations"]


def test_a_database_that_is_gone_is_not_ready(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise OperationalError("gone")

    with monkeypatch.context() as gone:
        gone.setattr(connection, "cursor", refuse)
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["database"] == "unreachable"


def test_a_full_disk_is_not_ready(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "LEAST_FREE_BYTES", 10**18)
    assert client.get("/readyz").json()["checks"]["disk"] == "nearly full"


def test_a_missing_data_folder_is_not_ready(client: Client, db: None, tmp_path: Path) -> None:
    with override_settings(SESSIONS_DATA_DIR=tmp_path / "gone"):
        response = client.get("/readyz")
    assert (response.status_code, response.json()["checks"]["disk"]) == (503, "unreadable")


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_they_are_only_read(client: Client, db: None, address: str) -> None:
    assert client.post(address).status_code == 405
    assert client.head(address).status_code == 200
