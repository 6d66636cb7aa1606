"""Tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from sessions_app.models.session import AgentSession


class Tag(models.Model):
    """A word that people and agents put on sessions."""

    name = models.CharField(max_length=100, unique=True)
    sessions: models.ManyToManyField[AgentSession, SessionTag] = models.ManyToManyField(
        "AgentSession", through="SessionTag", related_name="tags"
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class SessionTag(models.Model):
    """A tag on a session, and whether a person or the agent's own record put it there."""

    session = models.ForeignKey("AgentSession", models.CASCADE, related_name="tag_links")
    tag = models.ForeignKey(Tag, models.CASCADE, db_index=False)
    by = models.ForeignKey("User", models.SET_NULL, null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tag", "session"], name="tag_once"),
        ]

    def __str__(self) -> str:
        return f"{self.tag_id} on {self.session_id}"
