"""Leases: who may write to a session, until when."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models


class LeaseQuerySet(models.QuerySet["SessionLease"]):
    """Named filters."""

    def live(self, now: datetime) -> Self:
        """Those that still hold."""
        return self.filter(expires_at__gt=now)

    def exclusive(self) -> Self:
        """Those beside which nobody else writes."""
        return self.filter(mode=SessionLease.Mode.EXCLUSIVE)


class SessionLease(models.Model):
    """A lock that ends by itself. Its primary key is the fence: numbers rise and never return.

    A row whose time is over holds nothing; it stays until the next holder comes, who is told in
    the audit log to have taken over from it.
    """

    class Mode(models.TextChoices):
        EXCLUSIVE = "exclusive"
        SHARED = "shared"

    session = models.ForeignKey("AgentSession", models.CASCADE, related_name="leases")
    user = models.ForeignKey("User", models.CASCADE, related_name="+")
    holder = models.CharField(max_length=200)
    mode = models.CharField(max_length=16, choices=Mode.choices)
    acquired_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    objects = LeaseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["session"], condition=models.Q(mode="exclusive"), name="one_exclusive_lease"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.holder} ({self.mode}) on {self.session_id}"

    @property
    def fence(self) -> int:
        """The number that a write under this lease must name."""
        return self.pk
