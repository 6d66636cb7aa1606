"""Rules for what must never be read."""

from __future__ import annotations

from datetime import UTC, datetime

from sessions_app.actions.transaction import write_transaction
from sessions_app.models import ExcludeRule, User


def add_rule(pattern: str, *, note: str = "", by: User) -> ExcludeRule:
    """This rule, made when it is new. What is stored already stays."""
    with write_transaction():
        return ExcludeRule.objects.get_or_create(
            pattern=pattern.strip(),
            defaults={"note": note, "created_by": by, "created_at": datetime.now(UTC)},
        )[0]


def remove_rule(rule: ExcludeRule) -> None:
    """From the next run on the files are read again."""
    with write_transaction():
        ExcludeRule.objects.filter(pk=rule.pk).delete()
