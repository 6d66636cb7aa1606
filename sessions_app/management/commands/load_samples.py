"""Load the sample sessions, or take them away."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from sessions_app.actions.samples import remove_samples
from sessions_app.ingest.samples import load_samples
from sessions_app.management.people import owner_named


class Command(BaseCommand):
    """See `help`."""

    help = "Load a few invented sessions to look around with; --remove takes them away."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options."""
        parser.add_argument("--owner", help="whose sessions they are; default: the first admin")
        parser.add_argument("--remove", action="store_true", help="take them away again")

    def handle(self, *args: Any, **options: Any) -> None:
        """Parse options, call, print."""
        owner = owner_named(options["owner"])
        if options["remove"]:
            self.stdout.write(f"{remove_samples(by=owner)} sample sessions removed.")
            return
        loaded = load_samples(owner=owner)
        self.stdout.write(
            f"{loaded} sample sessions loaded." if loaded else "The samples are there already."
        )
