"""What was read from disk: files, their raw bytes, runs and problems."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class RawFile(models.Model):
    """A file that was read: its state on disk then, and how far it was read.

    `generation` rises when the file was rewritten instead of appended to; the chunks of the
    generations before stay.
    """

    collector = models.ForeignKey("User", models.CASCADE, related_name="+")
    session = models.ForeignKey(
        "AgentSession", models.SET_NULL, null=True, related_name="raw_files"
    )
    source = models.CharField(max_length=32)
    host = models.CharField(max_length=200)
    path = models.CharField(max_length=2000)
    main_path = models.CharField(max_length=2000, blank=True)  # of a companion: its main file
    size = models.BigIntegerField(default=0)
    mtime_ns = models.BigIntegerField(default=0)
    generation = models.IntegerField(default=1)
    raw_size = models.BigIntegerField(default=0)
    offset = models.BigIntegerField(default=0)
    line = models.BigIntegerField(default=0)
    reader_version = models.IntegerField(default=0)
    reader_state = models.BinaryField(default=b"")
    head_size = models.IntegerField(default=0)
    head_hash = models.CharField(max_length=32, blank=True)
    tail_hash = models.CharField(max_length=32, blank=True)
    first_read_at = models.DateTimeField()
    last_read_at = models.DateTimeField()
    failed = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["collector", "host", "path"], name="raw_file_once"),
        ]
        indexes = [models.Index(fields=["source"], name="raw_file_source")]

    def __str__(self) -> str:
        return self.path

    @property
    def is_kept(self) -> bool:
        """Whether its bytes are here: of databases and artifacts other places hold what counts."""
        return self.raw_size > 0 or self.size == 0

    def packed(self, generation: int | None = None) -> Iterator[bytes]:
        """Its bytes from the first on, in the compressed chunks that are stored."""
        wanted = RawPart.objects.filter(file=self, generation=generation or self.generation)
        parts = wanted.order_by("offset").values_list("chunk__data", flat=True)
        yield from map(bytes, parts.iterator(chunk_size=8))


class PushedFile(models.Model):
    """A file of another machine whose bytes are sent here piece by piece, and how far they came.

    The bytes lie in the spool until the readers have taken them. `generation` is the sender's:
    it rises when the file there was rewritten instead of appended to.
    """

    collector = models.ForeignKey("User", models.CASCADE, related_name="+", db_index=False)
    source = models.CharField(max_length=32)
    host = models.CharField(max_length=200)
    path = models.CharField(max_length=2000)
    generation = models.BigIntegerField()
    size = models.BigIntegerField(default=0)  # bytes that are here, on the disk
    parsed_size = models.BigIntegerField(default=0)  # bytes that were there at the last reading
    head_sha256 = models.CharField(max_length=64, blank=True)  # of the first 4,096 bytes, or fewer
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["collector", "host", "source", "path"], name="pushed_file_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.host}:{self.path}"


class RawChunk(models.Model):
    """Up to 1 MiB of a file's bytes, as zstd, known by the SHA-256 of the plain bytes."""

    sha256 = models.BinaryField(max_length=32, unique=True)
    size = models.IntegerField()  # plain bytes
    data = models.BinaryField()

    def __str__(self) -> str:
        return f"chunk {self.pk}"


class RawPart(models.Model):
    """Where a chunk stands in a file."""

    file = models.ForeignKey(RawFile, models.CASCADE, related_name="parts", db_index=False)
    generation = models.IntegerField()
    offset = models.BigIntegerField()
    chunk = models.ForeignKey(RawChunk, models.PROTECT, related_name="parts")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["file", "generation", "offset"], name="raw_part_place"),
        ]

    def __str__(self) -> str:
        return f"{self.file_id}@{self.offset}"


class IngestRun(models.Model):
    """One run of the ingest and what it found."""

    class Status(models.TextChoices):
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        STOPPED = "stopped", _("stopped")

    status = models.CharField(max_length=16, choices=Status.choices)
    host = models.CharField(max_length=200)
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    files_seen = models.BigIntegerField(default=0)
    files_unchanged = models.BigIntegerField(default=0)
    files_parsed = models.BigIntegerField(default=0)
    files_failed = models.BigIntegerField(default=0)
    files_todo = models.BigIntegerField(default=0)
    sessions_created = models.BigIntegerField(default=0)
    sessions_updated = models.BigIntegerField(default=0)
    messages = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    bytes_todo = models.BigIntegerField(default=0)
    roots = models.JSONField(default=list)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"run {self.pk}"


class IngestProblem(models.Model):
    """A line or file that could not be read. Fixed = a later reading went well."""

    collector = models.ForeignKey("User", models.CASCADE, related_name="+")
    source = models.CharField(max_length=32, blank=True)
    path = models.CharField(max_length=2000)
    line = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=300)
    sample = models.CharField(max_length=200, blank=True)
    session = models.ForeignKey("AgentSession", models.CASCADE, null=True, related_name="problems")
    seen_at = models.DateTimeField()
    dismissed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["collector", "path", "line", "reason"], name="problem_once"
            ),
        ]
        indexes = [
            models.Index(fields=["-id"], condition=Q(dismissed_at=None), name="problem_open"),
        ]

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"
