"""Make everything ready, then serve the dashboard and run the scheduler."""

from __future__ import annotations

import os
import sys

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connections
from django.utils.translation import gettext as _

from sessions_app import serving
from sessions_app.actions.people import first_admin
from sessions_app.actions.signin import issue_link
from sessions_app.ingest.samples import load_samples


class Command(BaseCommand):
    help = "Serve the dashboard: migrate, first admin and sign-in link, gunicorn and the scheduler."

    def add_arguments(self, parser: CommandParser) -> None:
        cores = os.cpu_count() or 1
        parser.add_argument("--host", default=settings.HOST)
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument("--workers", type=int, default=max(2, min(4, cores)))
        parser.add_argument("--samples", action="store_true", help="Load the sample sessions.")
        parser.add_argument(
            "--no-scheduler", action="store_true", help="Only the pages: another machine schedules."
        )

    def handle(
        self,
        *,
        host: str,
        port: int,
        workers: int,
        no_scheduler: bool,
        samples: bool,
        **options: object,
    ) -> None:
        if workers < 1:
            raise CommandError(_("--workers must be at least 1."), returncode=2)
        try:
            listener = serving.listen(host, port)
        except OSError as error:
            raise CommandError(
                _("Port {port} on {host} cannot be used ({reason}): set HOST or PORT.").format(
                    port=port, host=host, reason=error.strerror or error
                ),
                returncode=2,
            ) from error
        self._prepare()
        if samples:
            load_samples(owner=first_admin())
        self._greet(serving.public_address(host, port))
        connections.close_all()
        self._become_supervisor(listener.fileno(), workers, not no_scheduler)

    def _become_supervisor(self, handle: int, workers: int, scheduler: bool) -> None:
        """From here on no Django is needed in this process, which stays as long as the pages."""
        os.set_inheritable(handle, True)
        os.chdir(settings.BASE_DIR)
        command = [sys.executable, "-m", "sessions_app.supervisor", "--handle", str(handle)]
        command += ["--workers", str(workers)] + ["--scheduler"] * scheduler
        os.execv(sys.executable, command)

    def _prepare(self) -> None:
        try:
            call_command("migrate", verbosity=0, interactive=False)
            call_command("createcachetable", verbosity=0)
        except DatabaseError as error:
            reason = str(error).strip().splitlines()[0]
            raise CommandError(
                _("The database cannot be used: {reason}").format(reason=reason), returncode=2
            ) from error
        serving.collect_static()

    def _greet(self, address: str) -> None:
        admin = first_admin()
        lines = [_("Agent Sessions is served at {address}/").format(address=address)]
        if admin.has_usable_password():
            lines.append(_("A one-time sign-in link: manage.py sign_in_link"))
        else:
            link = f"{address}/sign-in/{issue_link(admin)}/"
            lines.append(
                _("Sign in as {name} (once, within 15 minutes): {link}").format(
                    name=admin.username, link=link
                )
            )
        self.stdout.write("\n".join(lines))
        self.stdout.flush()
