from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from django.conf import settings

from sessions_app.supervisor import Child, Supervisor
from tests.serving import Served, free_port

POSTGRES = os.environ.get("TEST_DATABASE") == "postgres"
on_sqlite = pytest.mark.skipif(POSTGRES, reason="once is enough: it starts servers of its own")
on_postgres = pytest.mark.skipif(not POSTGRES, reason="needs PostgreSQL")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder after a first start: the tests copy it, which saves them the migrations."""
    data = tmp_path_factory.mktemp("first") / "data"
    it = Served(data, free_port(), "--no-scheduler")
    assert it.get("/healthz")[0] == 200
    assert it.end(signal.SIGTERM) == 0
    return data


@pytest.fixture
def served(tmp_path: Path, prepared: Path) -> Iterator[Served]:
    data = shutil.copytree(prepared, tmp_path / "data")
    it = Served(data, free_port())
    yield it
    if it.process.poll() is None:
        it.end(signal.SIGTERM)


def gone(processes: list[psutil.Process], patience: float = 10) -> bool:
    return not psutil.wait_procs(processes, timeout=patience)[1]


@on_sqlite
def test_it_serves_prints_a_link_and_ends_with_all_its_children(served: Served) -> None:
    assert served.get("/healthz")[0] == 200
    log = served.log.read_text()
    assert f"{served.address}/" in log
    link = re.search(rf"{served.address}(/sign-in/\S+/)", log)
    assert link, log
    assert served.get(link[1])[0] == 200
    served.child("scheduler")
    family = served.family()
    assert len(family) >= 4  # gunicorn, two workers, the scheduler
    assert served.end(signal.SIGTERM) == 0
    assert gone(family, patience=1)


@on_sqlite
def test_ctrl_c_ends_it_as_well(served: Served) -> None:
    served.get("/healthz")
    family = served.family()
    assert served.end(signal.SIGINT) == 0
    assert gone(family, patience=1)


@on_sqlite
def test_killed_children_come_back(served: Served) -> None:
    served.get("/healthz")
    for name in ("scheduler", "gunicorn"):
        killed = served.child(name)
        killed.kill()
        psutil.wait_procs([killed], timeout=5)
        assert served.child(name).pid != killed.pid
    assert served.get("/healthz")[0] == 200


@on_sqlite
def test_nobody_is_left_when_it_is_killed(served: Served) -> None:
    served.get("/healthz")
    served.child("scheduler")
    time.sleep(2)  # the scheduler has told Linux by then that it ends with its parent
    family = served.family()
    served.process.kill()
    served.process.wait()
    assert gone(family)


@on_sqlite
def test_a_busy_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        it = Served(tmp_path / "data", port)
        assert it.process.wait(timeout=180) == 2
    said = it.log.read_text()
    assert said.count("\n") == 1
    assert f"Port {port} on 127.0.0.1 cannot be used (Address already in use)" in said


@on_sqlite
def test_a_database_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "db.sqlite3").write_text("no database " * 100)
    it = Served(data, free_port())
    assert it.process.wait(timeout=180) == 2
    assert (
        it.log.read_text() == "CommandError: The database cannot be used: file is not a database\n"
    )


@on_sqlite
def test_further_machines_leave_the_scheduler_out(tmp_path: Path, prepared: Path) -> None:
    it = Served(
        shutil.copytree(prepared, tmp_path / "data"),
        free_port(),
        "--no-scheduler",
        "--workers",
        "1",
    )
    assert it.get("/healthz")[0] == 200
    assert [child for child in it.family() if "scheduler" in child.cmdline()] == []
    assert it.end(signal.SIGTERM) == 0


@on_postgres
def test_it_serves_on_postgresql(tmp_path: Path) -> None:
    host, name = settings.DATABASES["default"]["HOST"], f"serve_{os.getpid()}"
    with psycopg.connect(host=host, user="postgres", autocommit=True) as admin:
        admin.execute(f"create database {name}".encode())
    database = f"postgres://postgres@/{host}/{name}"
    it = Served(tmp_path / "data", free_port(), database=database)
    assert it.get("/readyz")[0] == 200
    it.child("scheduler")
    assert it.end(signal.SIGTERM) == 0
    assert not (tmp_path / "data" / "db.sqlite3").exists()


def test_a_web_server_that_cannot_load_ends_everything(capfd: pytest.CaptureFixture[str]) -> None:
    other = Child("other", ["-c", "import time; time.sleep(60)"])
    assert Supervisor([Child("web", ["-c", "raise SystemExit(3)"]), other]).run() == 1
    assert "web ended with 3; again in 2 s." in capfd.readouterr().err
    assert other.process and other.process.returncode == -signal.SIGTERM


def test_each_failure_in_a_row_waits_longer() -> None:
    child = Child("child", ["-c", "raise SystemExit(-9)"])
    waits = []
    for _ in range(3):
        child.start_at = 0
        child.keep()
        assert child.process
        child.process.wait()
        child.keep()
        waits.append(round(child.start_at - time.monotonic()))
    assert waits == [2, 5, 15]
