"""The people that the dashboard itself makes."""

from __future__ import annotations

from django.core.exceptions import ValidationError

from sessions_app.actions.refusals import BadValue
from sessions_app.models import User


def first_admin() -> User:
    """The oldest active superuser; on a new instance "admin", who signs in by a one-time link."""
    admin = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if admin is None:
        name = "admin"
        while User.objects.filter(username=name).exists():
            name += "_"
        admin = User.objects.create_superuser(name)
    return admin


def person_called(name: str) -> User:
    """A new person who can come in by a token or a sign-in link; raises BadValue."""
    user = User(username=name)
    user.set_unusable_password()
    try:
        user.full_clean(exclude=["password"])
    except ValidationError as error:
        raise BadValue(" ".join(error.messages), field="user") from error
    user.save()
    return user
