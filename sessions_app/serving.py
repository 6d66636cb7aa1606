"""Make ready what the web server needs: a socket, an address, the static files."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command


def listen(host: str, port: int) -> socket.socket:
    """The listening socket, or OSError when the port is busy; gunicorn inherits it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def public_address(host: str, port: int) -> str:
    """Where a person opens the dashboard."""
    if settings.CSRF_TRUSTED_ORIGINS:
        return str(settings.CSRF_TRUSTED_ORIGINS[0])
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host).strip("[]")
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def collect_static() -> None:
    """Collect and compress the static files, unless they are those of the last start."""
    mark = Path(settings.STATIC_ROOT) / ".collected"
    found = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            source = os.stat(storage.path(name))
            found.update(f"{name} {source.st_size} {source.st_mtime_ns}\n".encode())
    if mark.exists() and mark.read_text(encoding="ascii") == found.hexdigest():
        return
    call_command("collectstatic", verbosity=0, interactive=False)
    mark.write_text(found.hexdigest(), encoding="ascii")
