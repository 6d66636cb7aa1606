"""Users and projects as people name them on the command line."""

from __future__ import annotations

from django.core.management.base import CommandError
from django.db.models import Q

from sessions_app.models import Project, User


def owner_named(name: str | None) -> User:
    """The user with this name or e-mail; without a name the first admin.

    Raises CommandError (exit 2) when there is none.
    """
    if name:
        user = User.objects.filter(Q(username=name) | Q(email__iexact=name)).first()
        if user is None:
            raise CommandError(f"there is no user {name!r}", returncode=2)
        return user
    admin = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if admin is None:
        raise CommandError(
            "there is no admin yet: `manage.py serve` makes one, or name an --owner", returncode=2
        )
    return admin


def viewer_named(name: str | None) -> User:
    """Through whose eyes a command looks: this user's, else everybody's.

    Who may run commands here may read the database: without a name nothing is hidden.
    """
    return owner_named(name) if name else User(pk=0, is_superuser=True)


def project_named(name: str | None) -> Project | None:
    """The project with this key or name. Raises CommandError when none or several match."""
    if not name:
        return None
    found = list(Project.objects.filter(Q(key=name) | Q(name=name))[:2])
    if len(found) == 1:
        return found[0]
    wrong = "several projects are" if found else "no project is"
    raise CommandError(f"{wrong} called {name!r}; give its key", returncode=2)
