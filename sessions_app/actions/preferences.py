"""What a person chose for themselves."""

from __future__ import annotations

from sessions_app.models import User


def remember_language(user: User, language: str) -> User:
    """So that the next browser speaks it too."""
    user.language = language
    user.save(update_fields=["language"])
    return user
