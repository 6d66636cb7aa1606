from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from dashboard import env

ADDRESS = "DATABASE_URL must be sqlite:////path/to/file or postgres://user:password@host:port/name."
BAD = [
    ("DATABASE_URL", "nonsense", ADDRESS),
    ("DATABASE_URL", "mysql://root:secret@localhost/x", ADDRESS),
    ("DATABASE_URL", "postgres://me:secret@localhost:99999999/x", ADDRESS),
    ("DATABASE_URL", "postgres://me:secret@localhost/x?pool=many", ADDRESS),
    ("DATABASE_URL", "sqlite://:memory:", ADDRESS),
    ("DATABASE_URL", "sqlite:////no/such/folder/x.db", "the folder of /no/such/folder/x.db"),
    ("DATABASE_URL_FILE", "/no/such/file", "DATABASE_URL_FILE cannot be read: /no/such/file."),
    ("SESSIONS_DATA_DIR", "/dev/null/data", "SESSIONS_DATA_DIR: /dev/null/data cannot be made."),
    ("SESSIONS_STORAGE_URL", "ftp://x", "SESSIONS_STORAGE_URL is “ftp://x”"),
    ("SESSIONS_RETENTION_DAYS", "many", "SESSIONS_RETENTION_DAYS is “many”, but must be a whole"),
    ("SESSIONS_TRASH_DAYS", "-1", "SESSIONS_TRASH_DAYS is “-1”"),
    ("SESSIONS_RATE_LIMIT", "0", "but must be a whole number from 1 to 1000000."),
    ("SESSIONS_HEARTBEAT_SECONDS", "0", "SESSIONS_HEARTBEAT_SECONDS is “0”"),
    ("SESSIONS_NEW_PROJECTS", "shut", "but must be one of open, closed."),
    ("SESSIONS_STORE_TOKEN_USAGE", "maybe", "but must be true or false."),
    ("SESSIONS_DEFAULT_VISIBILITY", "public", "one of project, everyone, numbers, private."),
    ("SESSIONS_LANGUAGE", "tlh", "SESSIONS_LANGUAGE is “tlh”, but must be one of en, zh-hans."),
    ("TIME_ZONE", "Mars/Olympus", "TIME_ZONE is “Mars/Olympus”, but must be a time zone"),
    ("TIME_ZONE", "Europe", "TIME_ZONE is “Europe”"),
    ("TIME_ZONE", "../etc/passwd", "TIME_ZONE is “../etc/passwd”"),
    ("PORT", "http", "PORT is “http”"),
    ("SECRET_KEY", "short", "SECRET_KEY is too short"),
    ("CSRF_TRUSTED_ORIGINS", "example.org", "CSRF_TRUSTED_ORIGINS holds “example.org”"),
    ("ALLOWED_HOSTS", "a.org,https://b.org", "ALLOWED_HOSTS holds “https://b.org”"),
    ("ALLOWED_HOSTS", "a.org:8000", "ALLOWED_HOSTS holds “a.org:8000”, which must be a host name"),
]


@pytest.mark.parametrize(("name", "value", "sentence"), BAD, ids=[f"{n}={v}" for n, v, _ in BAD])
def test_a_bad_value_ends_the_start_with_one_sentence(
    name: str, value: str, sentence: str, tmp_path: Path
) -> None:
    clean = {key: text for key, text in os.environ.items() if key != "DATABASE_URL"}
    clean |= {"DJANGO_SETTINGS_MODULE": "dashboard.settings", "SESSIONS_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, settings.BASE_DIR / "manage.py", "version"],
        env={**clean, name: value},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert sentence in done.stderr
    assert "secret" not in done.stderr.lower() or name == "SECRET_KEY"


def test_a_folder_without_write_permission_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(ImproperlyConfigured, match="X_DIR is .*, which cannot be written to."):
        env.folder("X_DIR", tmp_path)


def test_a_secret_can_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    secret.write_text("$from-a-file\n")
    monkeypatch.setenv("X_NAME_FILE", str(secret))
    assert env.text("X_NAME") == "$from-a-file"


def test_values_keep_dollars_and_braces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X_TAGS", "${USER}, work,")
    assert env.names("X_TAGS") == ["${USER}", "work"]


def test_hosts_are_names_addresses_and_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    good = ["localhost", ".example.org", "*", "[::1]", "192.0.2.7", "db_1.internal"]
    monkeypatch.setenv("X_HOSTS", ", ".join(good))
    assert env.hosts("X_HOSTS", ()) == good


def test_dot_env_yields_to_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text("X_ONE=file\nX_TWO='file'\n")
    monkeypatch.setenv("X_ONE", "environment")
    monkeypatch.delenv("X_TWO", raising=False)
    env.load(file)
    assert (env.text("X_ONE"), env.text("X_TWO")) == ("environment", "file")
    monkeypatch.delenv("X_TWO")


def test_the_secret_key_is_made_once_and_for_nobody_else(tmp_path: Path) -> None:
    file = tmp_path / "secret_key"
    first = env.secret_key(file)
    assert env.secret_key(file) == first
    assert len(first) >= 50
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_postgresql_connections_are_kept_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X_URL", "postgres://me:a%2Fb@db1,db2:5433/sessions?sslmode=require")
    found = env.database("X_URL", Path("unused"), {})
    assert (found["NAME"], found["HOST"], found["PASSWORD"]) == ("sessions", "db1,db2", "a/b")
    assert (found["CONN_MAX_AGE"], found["CONN_HEALTH_CHECKS"]) == (60, True)
    assert found["OPTIONS"] == {"sslmode": "require"}


def test_a_pool_is_there_for_the_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X_URL", "postgres://localhost/sessions?pool=8")
    found = env.database("X_URL", Path("unused"), {})
    assert found["OPTIONS"] == {"pool": {"min_size": 1, "max_size": 8}}
    assert found["CONN_MAX_AGE"] == 0


@pytest.mark.skipif(os.environ.get("TEST_DATABASE") == "postgres", reason="about SQLite")
@pytest.mark.django_db
def test_sqlite_keeps_what_it_has_answered() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        found = {}
        for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys"):
            cursor.execute(f"PRAGMA {name}")
            found[name] = cursor.fetchone()[0]
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "busy_timeout": 20_000,
        "foreign_keys": 1,
    }
    assert settings.DATABASES["default"]["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


def test_the_content_security_policy_allows_nothing_unsafe() -> None:
    policy = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    assert not [part for parts in policy.values() for part in parts if "unsafe" in part]
    assert policy["frame-ancestors"] == policy["object-src"] == ["'none'"]


def test_deployed_behind_https_django_has_nothing_to_warn_about(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=settings.BASE_DIR,
        env={
            **{key: text for key, text in os.environ.items() if key != "DJANGO_ALLOW_ASYNC_UNSAFE"},
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
            "SESSIONS_DATA_DIR": str(tmp_path),
            "SESSIONS_HTTPS": "true",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
