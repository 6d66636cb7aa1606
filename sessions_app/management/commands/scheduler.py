"""What has to happen again and again: read the agents' files, find crashed sessions."""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connections

from sessions_app.supervisor import end_with_parent


def stop(number: int, frame: FrameType | None) -> None:
    # An open transaction is rolled back on the way out: nothing half-done is kept.
    sys.exit(0)


class Command(BaseCommand):
    help = "Run the regular work in a loop; `serve` starts one of it."

    def handle(self, **options: object) -> None:
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        end_with_parent()
        pause = settings.SESSIONS_INGEST_SECONDS
        while True:
            if pause:
                call_command("ingest_sessions", "--quiet")
            call_command("detect_crashes", "--quiet")
            # A connection that idles half a minute may be dead by then.
            connections.close_all()
            time.sleep(pause or settings.SESSIONS_HEARTBEAT_SECONDS)
