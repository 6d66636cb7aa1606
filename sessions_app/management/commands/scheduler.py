"""What has to happen all the time: read the agents' files as they grow, find crashed sessions."""

from __future__ import annotations

import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connections

from sessions_app.actions.answers import forget_answers
from sessions_app.actions.stored_files import sweep
from sessions_app.ingest.run import Wish
from sessions_app.ingest.watch import Watch
from sessions_app.management.ingest_report import tell
from sessions_app.management.people import owner_named
from sessions_app.supervisor import end_with_parent

SWEEP_EVERY = timedelta(hours=1)  # what no artifact and no image names any more


def stop(number: int, frame: FrameType | None) -> None:
    # An open transaction is rolled back on the way out: nothing half-done is kept.
    sys.exit(0)


class Command(BaseCommand):
    help = "Run the regular work in a loop; `serve` starts one of it."

    def handle(self, **options: object) -> None:
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        end_with_parent()
        self.started = self.swept = datetime.now(UTC)
        try:
            self._work(settings.SESSIONS_INGEST_SECONDS)
        except KeyboardInterrupt:  # what a stop is called that came while waiting for events
            sys.exit(0)

    def _work(self, pause: int) -> None:
        wish = Wish(owner=owner_named(None), home=Path.home())
        watch = Watch(wish, self.stderr.write, pause) if pause else None
        while True:
            if watch is None:
                self._between_readings()
                time.sleep(settings.SESSIONS_HEARTBEAT_SECONDS)
            else:
                self._watch(watch, pause)
                self._between_readings()

    def _between_readings(self) -> None:
        call_command("detect_crashes", "--quiet", listening_since=self.started)
        now = datetime.now(UTC)
        if now - self.swept >= SWEEP_EVERY:
            self.swept = now
            sweep(now)
            forget_answers(now)
        # A connection that idles half a minute may be dead by then.
        connections.close_all()

    def _watch(self, watch: Watch, seconds: int) -> None:
        """For so long."""
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            report = watch.step(rest)
            if report is not None:
                tell(report, self.stdout, quiet=True)
