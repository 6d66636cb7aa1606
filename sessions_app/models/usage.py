"""Tokens and money: each billed response once."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from sessions_app.models.fields import NanoUSDField


class Usage(models.Model):
    """One billed response. `session` owns it; sessions that copied it only link to it.

    `key` is "<backend>:<the agent's own id of the response>". `input` excludes cache,
    `output` includes `reasoning`. `cost` is None for a model without a price.
    """

    key = models.CharField(max_length=400, unique=True)
    backend = models.CharField(max_length=32)
    session = models.ForeignKey(
        "AgentSession", models.SET_NULL, null=True, related_name="own_usage"
    )
    model = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()
    input = models.BigIntegerField(default=0)
    output = models.BigIntegerField(default=0)
    cache_read = models.BigIntegerField(default=0)
    cache_write = models.BigIntegerField(default=0)
    cache_write_1h = models.BigIntegerField(default=0)
    reasoning = models.BigIntegerField(default=0)
    cost = NanoUSDField(null=True)
    is_recorded = models.BooleanField(default=False)  # the agent told the cost itself
    is_summary = models.BooleanField(default=False)  # a sum over a session, nothing better known
    is_flagged = models.BooleanField(default=False)  # an impossible number was counted as 0

    class Meta:
        indexes = [models.Index(fields=["at"], name="usage_at")]

    def __str__(self) -> str:
        return self.key


class SessionUsage(models.Model):
    """That a session's conversation holds a billed response, its own or inherited."""

    session = models.ForeignKey(
        "AgentSession", models.CASCADE, related_name="usage_links", db_index=False
    )
    usage = models.ForeignKey(Usage, models.CASCADE, related_name="links")
    message = models.ForeignKey("Message", models.SET_NULL, null=True, related_name="usage_links")
    # Some agents write what a response cost before they write it: the key that will hold it.
    waits_for = models.CharField(max_length=200, null=True)  # noqa: DJ001 (partial index)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "usage"], name="usage_once_a_session"),
        ]
        indexes = [
            models.Index(
                fields=["session"], condition=Q(waits_for__isnull=False), name="usage_waits"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.session_id} holds {self.usage_id}"


class UsageRollup(models.Model):
    """Sums of a session's own usage by quarter of an hour (UTC) and model.

    A quarter of an hour serves every time zone; tag, project and visibility come by joining
    the session. Written in the transaction that writes the usage rows.
    """

    session = models.ForeignKey("AgentSession", models.CASCADE, related_name="rollups")
    quarter = models.DateTimeField()
    model = models.CharField(max_length=200, blank=True)
    responses = models.BigIntegerField(default=0)
    input = models.BigIntegerField(default=0)
    output = models.BigIntegerField(default=0)
    cache_read = models.BigIntegerField(default=0)
    cache_write = models.BigIntegerField(default=0)
    reasoning = models.BigIntegerField(default=0)
    cost = NanoUSDField(default=0)
    recorded_cost = NanoUSDField(default=0)
    unpriced_responses = models.BigIntegerField(default=0)
    unpriced_tokens = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "quarter", "model"], name="rollup_once"),
            models.CheckConstraint(
                condition=Q(responses__gte=0, input__gte=0, output__gte=0), name="rollup_positive"
            ),
        ]
        indexes = [models.Index(fields=["quarter"], name="rollup_quarter")]

    def __str__(self) -> str:
        return f"{self.session_id} {self.quarter} {self.model}"
