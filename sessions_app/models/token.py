"""Tokens by which programs come in."""

from __future__ import annotations

from datetime import datetime

from django.db import models


class ApiToken(models.Model):
    """A secret that acts for one person; only its SHA-256 is kept, and its readable start."""

    class Scope(models.TextChoices):
        READ = "read"
        WRITE = "write"
        ADMIN = "admin"

    user = models.ForeignKey("User", models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    project = models.ForeignKey("Project", models.CASCADE, null=True, related_name="tokens")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)  # at most a minute behind
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.prefix}… {self.name}"

    def is_usable(self, now: datetime) -> bool:
        """Neither revoked nor over; whether its person may come in is another question."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


class StoredAnswer(models.Model):
    """What a write with an Idempotency-Key was answered, for those who ask again.

    `fingerprint` is the SHA-256 of method, address and body. The row is written in the
    transaction of the work itself; writers stand in line, so of two that race one replays.
    """

    user = models.ForeignKey("User", models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64)
    # So that nothing of an ephemeral session stays behind.
    session = models.ForeignKey("AgentSession", models.CASCADE, null=True, related_name="+")
    status = models.PositiveSmallIntegerField(default=0)
    body = models.BinaryField(default=b"")  # JSON as zstd
    etag = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="answer_once"),
        ]

    def __str__(self) -> str:
        return self.key
