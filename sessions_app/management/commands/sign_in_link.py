"""Print a link that signs one person in once."""

from __future__ import annotations

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from sessions_app import serving
from sessions_app.actions.people import first_admin
from sessions_app.actions.signin import issue_link
from sessions_app.models import User


class Command(BaseCommand):
    help = "Print a one-time sign-in link for USER, or for the first admin."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", nargs="?")

    def handle(self, *, user: str | None, **options: object) -> None:
        person = self._find(user) if user else first_admin()
        address = serving.public_address(settings.HOST, settings.PORT)
        self.stdout.write(f"{address}/sign-in/{issue_link(person)}/")

    def _find(self, name: str) -> User:
        try:
            return User.objects.get(username=name, is_active=True)
        except User.DoesNotExist as error:
            raise CommandError(
                _("There is no active user called {name}.").format(name=name), returncode=2
            ) from error
