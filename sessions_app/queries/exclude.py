"""What is stored of files that somebody would rather not have read."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sessions_app.models import AgentSession, ExcludeRule, RawFile, User

SHOWN = 100  # sessions


def rules() -> list[ExcludeRule]:
    """Every rule with who made it."""
    return list(ExcludeRule.objects.select_related("created_by"))


def stored_sessions(
    user: User, host: str, excluded: Callable[[Iterable[str]], set[str]]
) -> tuple[int, list[AgentSession]]:
    """How many sessions were read from such files, and the latest of those this person may see."""
    files = RawFile.objects.filter(host=host, session__trashed_at=None, session__isnull=False)
    told = dict(files.values_list("path", "session").iterator())
    found = {told[path] for path in excluded(told)}
    visible = AgentSession.objects.visible_to(user).filter(pk__in=sorted(found)[-10_000:])
    return len(found), list(visible.order_by("-last_active", "-pk")[:SHOWN])
