"""What an agent saved beside its conversation: snapshots and artifacts."""

from __future__ import annotations

from django.db import models


class Snapshot(models.Model):
    """State at an integer step; without `packed` the file was torn and `problem` says how."""

    session = models.ForeignKey(
        "AgentSession", models.CASCADE, related_name="snapshots", db_index=False
    )
    step = models.BigIntegerField()
    at_seq = models.BigIntegerField(null=True)  # the session's last message then, where known
    at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    packed = models.BinaryField(null=True)  # JSON as zstd
    sha256 = models.CharField(max_length=64, blank=True)  # of the JSON
    size = models.BigIntegerField(default=0)  # of the JSON, bytes
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["step"]
        constraints = [
            models.UniqueConstraint(fields=["session", "step"], name="snapshot_step"),
        ]

    def __str__(self) -> str:
        return f"{self.session_id} step {self.step}"


class Artifact(models.Model):
    """A file of a session, by its name there; the bytes are a stored file named by hash."""

    session = models.ForeignKey(
        "AgentSession", models.CASCADE, related_name="artifacts", db_index=False
    )
    path = models.CharField(max_length=1000)
    sha256 = models.CharField(max_length=64, db_index=True)
    size = models.BigIntegerField()
    received_at = models.DateTimeField()

    class Meta:
        ordering = ["path"]
        constraints = [
            models.UniqueConstraint(fields=["session", "path"], name="artifact_path"),
        ]

    def __str__(self) -> str:
        return self.path


class StoredFile(models.Model):
    """A stored file, named by the SHA-256 of its bytes; `references` rows point to it by hash."""

    sha256 = models.CharField(max_length=64, unique=True)
    size = models.BigIntegerField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.sha256
