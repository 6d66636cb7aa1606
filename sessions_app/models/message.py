"""Messages and tool calls."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Message(models.Model):
    """One message. `id` is stable for ever; `seq` is dense from 1 and may be renumbered.

    `text` and `thinking` hold the words; `layout` says in which order pieces and calls came
    and is empty for the usual order: thinking, text, calls (see records and actions.prepare).
    Each change takes the session's next revision, so that a live page asks for what changed.
    """

    class Role(models.TextChoices):
        USER = "user", _("user")
        ASSISTANT = "assistant", _("assistant")
        SYSTEM = "system", _("system")
        TOOL = "tool", _("tool")

    session = models.ForeignKey(
        "AgentSession", models.CASCADE, related_name="messages", db_index=False
    )
    seq = models.BigIntegerField()
    revision = models.BigIntegerField()
    key = models.CharField(max_length=200)
    parent_key = models.CharField(max_length=200, blank=True)
    role = models.CharField(max_length=16, choices=Role.choices)
    kind = models.CharField(max_length=16, blank=True)
    model = models.CharField(max_length=200, blank=True)
    text = models.TextField(blank=True)
    thinking = models.TextField(blank=True)
    layout = models.TextField(blank=True)
    metadata = models.TextField(blank=True)  # JSON; empty for most
    at = models.DateTimeField(null=True)  # the client's time, not after received_at
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "seq"], name="message_seq"),
            models.UniqueConstraint(fields=["session", "key"], name="message_key"),
        ]

    def __str__(self) -> str:
        return f"{self.session_id}#{self.seq}"


class ToolCall(models.Model):
    """A call of a tool and what it answered.

    Up to 200 characters of input and output stand in the previews; what is longer is whole
    in the packed column, as zstd of UTF-8.
    """

    message = models.ForeignKey(Message, models.CASCADE, related_name="calls", db_index=False)
    session = models.ForeignKey(
        "AgentSession", models.CASCADE, related_name="calls", db_index=False
    )
    ordinal = models.IntegerField()
    call_id = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    input_preview = models.CharField(max_length=200, blank=True)
    input_packed = models.BinaryField(null=True)
    input_size = models.BigIntegerField(default=0)  # characters
    output_preview = models.CharField(max_length=200, blank=True)
    output_packed = models.BinaryField(null=True)
    output_size = models.BigIntegerField(default=0)  # characters
    is_error = models.BooleanField(default=False)
    exit_code = models.IntegerField(null=True)
    ended = models.BooleanField(default=False)  # False: no result yet (running or dangling)
    ended_at = models.DateTimeField(null=True)
    metadata = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["message", "ordinal"], name="call_in_message"),
        ]
        indexes = [
            models.Index(fields=["session", "call_id"], name="call_of_session"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.call_id}"


class Attachment(models.Model):
    """An image inside a message; its bytes are a stored file, known by SHA-256."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="attachments", db_index=False)
    call_id = models.CharField(max_length=200, blank=True)  # set when a tool's result held it
    ordinal = models.IntegerField()
    media_type = models.CharField(max_length=100)
    sha256 = models.CharField(max_length=64, db_index=True)
    size = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["message", "ordinal"], name="attachment_in_message"),
        ]

    def __str__(self) -> str:
        return f"{self.media_type} of {self.message_id}"
