"""Make a token for the API and print it once."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from sessions_app.actions.api_tokens import create_token
from sessions_app.actions.people import person_called
from sessions_app.actions.refusals import BadValue
from sessions_app.management.people import project_named
from sessions_app.models import ApiToken, User

LIFETIME = re.compile(r"([1-9]\d{0,4})([dwy])")
DAYS = {"d": 1, "w": 7, "y": 365}


class Command(BaseCommand):
    help = "Make an API token for USER and print it, this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="user name or e-mail")
        parser.add_argument(
            "--scope", action="append", choices=ApiToken.Scope.values, required=True,
            help="what it may do; may be repeated",
        )  # fmt: skip
        parser.add_argument("--name", required=True, help="what it is for")
        parser.add_argument("--project", help="only for this project, by name or key")
        parser.add_argument("--expires", metavar="90d", help="90d, 12w or 1y; default: never")
        parser.add_argument("--create-user", action="store_true", help="make USER if needed")
        parser.add_argument("--json", action="store_true", help="print facts for programs")

    def handle(
        self,
        *,
        user: str,
        scope: list[str],
        name: str,
        project: str | None,
        expires: str | None,
        create_user: bool,
        **options: object,
    ) -> None:
        now = timezone.now()
        until = _until(expires, now)
        for_project = project_named(project)
        person = _person(user, create_user)
        try:
            token, secret = create_token(
                person, name=name, scopes=scope, project=for_project, expires_at=until,
                by=person, now=now,
            )  # fmt: skip
        except BadValue as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal
        if not options["json"]:
            self.stdout.write(secret)
            return
        facts = {
            "token": secret,
            "prefix": token.prefix,
            "user": person.get_username(),
            "name": token.name,
            "scopes": token.scopes,
            "project": for_project.key if for_project else None,
            "expires_at": until.isoformat().replace("+00:00", "Z") if until else None,
        }
        self.stdout.write(json.dumps(facts, ensure_ascii=False))


def _until(expires: str | None, now: datetime) -> datetime | None:
    if expires is None:
        return None
    match = LIFETIME.fullmatch(expires)
    if match is None:
        raise CommandError(
            _("--expires is a span such as 90d, not “{value}”.").format(value=expires),
            returncode=2,
        )
    return now + timedelta(days=int(match[1]) * DAYS[match[2]])


def _person(name: str, create: bool) -> User:
    found = User.objects.filter(Q(username=name) | Q(email__iexact=name)).first()
    if found is not None and found.is_active:
        return found
    if found is None and create:
        try:
            return person_called(name)
        except BadValue as refusal:
            raise CommandError(str(refusal), returncode=2) from refusal
    raise CommandError(_("There is no active user called {name}.").format(name=name), returncode=2)
