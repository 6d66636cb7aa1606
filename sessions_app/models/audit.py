"""Who did what."""

from __future__ import annotations

from django.db import models


class AuditEntry(models.Model):
    """One act that destroys, reveals or admits. Survives its object and its actor."""

    at = models.DateTimeField(db_index=True)
    actor = models.ForeignKey("User", models.SET_NULL, null=True)
    actor_name = models.CharField(max_length=200)
    address = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=64)
    target = models.CharField(max_length=200, blank=True)
    details = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.actor_name} {self.action} {self.target}"
