"""What must never be read."""

from __future__ import annotations

from django.db import models


class ExcludeRule(models.Model):
    """A pattern of paths that the ingest does not open; `ingest.exclude` says how it matches."""

    pattern = models.CharField(max_length=500, unique=True)
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey("User", models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["pattern"]

    def __str__(self) -> str:
        return self.pattern
