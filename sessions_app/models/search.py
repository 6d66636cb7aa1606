"""Searches that people keep."""

from __future__ import annotations

from django.db import models


class SavedSearch(models.Model):
    """A search under a name: its owner's, or with a project everybody's who may see that."""

    owner = models.ForeignKey("User", models.CASCADE, related_name="saved_searches")
    project = models.ForeignKey("Project", models.CASCADE, null=True, blank=True)
    name = models.CharField(max_length=100)
    text = models.CharField(max_length=1000)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="saved_search_name"),
        ]

    def __str__(self) -> str:
        return self.name
