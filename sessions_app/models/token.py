"""Tokens by which programs come in."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q


class TokenQuerySet(models.QuerySet["ApiToken"]):
    """Named filters."""

    def usable(self, now: datetime) -> Self:
        """Neither revoked nor over, of people who may sign in."""
        alive = Q(expires_at=None) | Q(expires_at__gt=now)
        return self.filter(alive, revoked_at=None, user__is_active=True)


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

    objects = TokenQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.prefix}… {self.name}"


class StoredAnswer(models.Model):
    """What a write with an Idempotency-Key was answered, for those who ask again.

    `fingerprint` is the SHA-256 of method, address and body. The row is inserted before the
    work is done, in the same transaction: of two that race the second waits, then replays.
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
