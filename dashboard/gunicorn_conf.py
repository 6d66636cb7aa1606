"""How gunicorn runs under `manage.py serve`; GUNICORN_CMD_ARGS overrides it."""

from __future__ import annotations

import os

from gunicorn.arbiter import Arbiter

from sessions_app.supervisor import end_with_parent

# Threads keep a worker answering while a slow client or a waiting agent holds one of them; the
# writers among them are put in line by our own queue.
worker_class = "gthread"
threads = 4
preload_app = True
timeout = 120
graceful_timeout = 5
limit_request_line = 8190
loglevel = "warning"
control_socket_disable = True
if os.path.isdir("/dev/shm"):
    worker_tmp_dir = "/dev/shm"


def on_starting(server: Arbiter) -> None:
    end_with_parent()
