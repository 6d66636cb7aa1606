"""The people that the dashboard itself makes."""

from __future__ import annotations

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
