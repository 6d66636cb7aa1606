"""The session: one conversation with an AI coding agent."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from sessions_app.models.fields import NanoUSDField

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from sessions_app.models.user import User

EVERYONE = 0  # audience: every signed-in user


def audience_of_user(user_id: int) -> int:
    """The audience that holds this one person."""
    return -user_id


def audience_of_project(project_id: int) -> int:
    """The audience that holds the members of a closed project."""
    return project_id


class SessionQuerySet(models.QuerySet["AgentSession"]):
    """Named filters."""

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """What this person may know of, outside the trash: the gate behind every read."""
        return self.filter(trashed_at=None)._known_to(user)

    def editable_by(self, user: User | AnonymousUser) -> Self:
        """What this person may change: their own, and what they maintain."""
        return self.visible_to(user)._in_hands_of(user)

    def in_trash_of(self, user: User | AnonymousUser) -> Self:
        """What this person may take back out of the trash."""
        return self.filter(trashed_at__isnull=False)._known_to(user)._in_hands_of(user)

    def _known_to(self, user: User | AnonymousUser) -> Self:
        if not user.is_authenticated:
            return self.none()
        if user.is_superuser:
            return self
        audiences = [EVERYONE, audience_of_user(user.pk)]
        audiences += user.memberships.values_list("project_id", flat=True)
        return self.filter(audience__in=audiences)

    def _in_hands_of(self, user: User | AnonymousUser) -> Self:
        if not user.is_authenticated or user.is_superuser:
            return self
        maintained = user.memberships.filter(role="maintainer").values("project_id")
        return self.filter(Q(owner=user) | Q(project__in=maintained))

    def quiet_since(self, moment: datetime) -> Self:
        """Active sessions that a file tells of, with turns or as clinvk does, and then silence."""
        silent = Q(heartbeat_at=None) | Q(heartbeat_at__lt=moment)
        return self.filter(
            silent, status=AgentSession.Status.ACTIVE, last_active__lt=moment
        ).exclude(~Q(source="clinvk"), turn="")

    def without_heartbeat_since(self, moment: datetime) -> Self:
        """Active sessions whose agent used to say that it lives, and does not any more."""
        return self.filter(status=AgentSession.Status.ACTIVE, heartbeat_at__lt=moment)


class AgentSession(models.Model):
    """One conversation with an AI coding agent ("session" everywhere a person looks).

    Counters are kept in the transaction that inserts the rows that they count. Token columns
    are the sum over the conversation, copied history included; `inherited_*` is the part of
    it that another session owns. Totals over sessions never add these columns up: they sum
    usage rows or roll-ups, where a response stands once.
    """

    class Status(models.TextChoices):
        CREATED = "created", _("created")
        ACTIVE = "active", _("active")
        PAUSED = "paused", _("paused")
        COMPLETED = "completed", _("completed")
        ERROR = "error", _("error")
        CRASHED = "crashed", _("crashed")
        EXPIRED = "expired", _("expired")

    class Visibility(models.TextChoices):
        PRIVATE = "private", _("private")
        PROJECT = "project", _("project")
        EVERYONE = "everyone", _("everyone")
        NUMBERS = "numbers", _("numbers only")

    class Kind(models.TextChoices):
        MAIN = "main", _("main")
        SUBAGENT = "subagent", _("sub-agent")

    short_id = models.CharField(max_length=12, unique=True)
    name = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 (unique)
    collector = models.ForeignKey("User", models.PROTECT, related_name="collected_sessions")
    owner = models.ForeignKey("User", models.PROTECT, related_name="sessions")
    project = models.ForeignKey("Project", models.SET_NULL, null=True, related_name="sessions")
    visibility = models.CharField(max_length=16, choices=Visibility.choices)
    audience = models.BigIntegerField()

    source = models.CharField(max_length=32)
    backend = models.CharField(max_length=32)
    backend_session_id = models.CharField(max_length=200, blank=True)
    identity = models.CharField(max_length=400)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.MAIN)
    root_key = models.CharField(max_length=100, blank=True)  # key of the first message: family
    is_sample = models.BooleanField(default=False)
    is_protected = models.BooleanField(default=False)
    is_ephemeral = models.BooleanField(default=False)  # gone without a trace when it ends
    edits = models.BigIntegerField(default=0)  # of its facts, by people and the API: the ETag

    status = models.CharField(max_length=16, choices=Status.choices, default=Status.CREATED)
    turn = models.CharField(max_length=16, blank=True)  # evidence in the file: open, ended ...
    error = models.TextField(blank=True)
    title = models.CharField(max_length=300, blank=True)
    title_rank = models.PositiveSmallIntegerField(default=0)
    prompt = models.CharField(max_length=500, blank=True)
    description = models.TextField(blank=True)
    model = models.CharField(max_length=200, blank=True)
    models_used = models.JSONField(default=list)
    host = models.CharField(max_length=200, blank=True)
    work_dir = models.CharField(max_length=1000, blank=True)
    git_branch = models.CharField(max_length=300, blank=True)
    repository_url = models.CharField(max_length=1000, blank=True)
    agent_version = models.CharField(max_length=100, blank=True)
    metadata = models.JSONField(default=dict)
    current_task = models.CharField(max_length=500, blank=True)
    progress = models.FloatField(null=True)
    total_steps = models.BigIntegerField(null=True)
    exit_code = models.IntegerField(null=True)
    duration_seconds = models.FloatField(null=True)

    created_at = models.DateTimeField()
    last_active = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()  # server time of the first ingest
    trashed_at = models.DateTimeField(null=True)
    # Server time of the last sign of life, for sessions whose agent sends them; else null.
    heartbeat_at = models.DateTimeField(null=True)

    last_seq = models.BigIntegerField(default=0)
    revision = models.BigIntegerField(default=0)
    message_count = models.BigIntegerField(default=0)
    user_messages = models.BigIntegerField(default=0)
    assistant_messages = models.BigIntegerField(default=0)
    tool_calls = models.BigIntegerField(default=0)
    tool_errors = models.BigIntegerField(default=0)
    open_tool_calls = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    total_tokens = models.BigIntegerField(default=0)
    inherited_tokens = models.BigIntegerField(default=0)
    cost = NanoUSDField(default=Decimal(0))
    recorded_cost = NanoUSDField(default=Decimal(0))
    inherited_cost = NanoUSDField(default=Decimal(0))
    unpriced_responses = models.BigIntegerField(default=0)
    size_bytes = models.BigIntegerField(default=0)  # of the raw record, uncompressed

    objects = SessionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["collector", "backend", "identity"], name="session_identity"
            ),
            models.UniqueConstraint(
                fields=["owner", "name"],
                condition=Q(trashed_at=None, name__isnull=False),
                name="session_name_per_owner",
            ),
            models.CheckConstraint(
                condition=Q(total_tokens__gte=0, cost__gte=0, last_seq__gte=0),
                name="session_counters_not_negative",
            ),
        ]
        indexes = [
            models.Index(fields=["-last_active", "-id"], name="session_latest"),
            models.Index(fields=["kind", "-last_active", "-id"], name="session_kind_latest"),
            models.Index(fields=["project", "-last_active"], name="session_project_latest"),
            models.Index(fields=["status", "-last_active"], name="session_status_latest"),
            # Holds all that the counts by status ask for: the rows themselves stay unread.
            models.Index(
                fields=["status", "kind", "audience"],
                condition=Q(trashed_at=None),
                name="session_counts",
            ),
            models.Index(fields=["owner"], condition=Q(is_sample=True), name="session_samples"),
            models.Index(fields=["identity", "backend"], name="session_identity_lookup"),
            models.Index(fields=["root_key"], name="session_family"),
            models.Index(
                fields=["heartbeat_at"],
                condition=Q(status="active", heartbeat_at__isnull=False),
                name="session_heartbeat",
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.prompt[:80] or self.short_id

    @property
    def resumable(self) -> bool:
        """Whether the agent can go on with it."""
        return self.not_resumable_because is None

    @property
    def not_resumable_because(self) -> str | None:
        """A sentence for people, or None."""
        if self.kind == self.Kind.SUBAGENT:
            return str(_("A sub-agent is resumed through its parent session."))
        if not self.backend_session_id:
            return str(_("The agent never told its own session id."))
        return None

    @property
    def standing_error(self) -> str:
        """The error that it ended with; one that later turns left behind says nothing any more.

        A crash that a program told of (it knows no turns) may bring its error with it.
        """
        told = self.status == self.Status.CRASHED and not self.turn
        return self.error if told or self.status == self.Status.ERROR else ""

    @property
    def cost_is_complete(self) -> bool:
        """False when a response without a price is in it, or responses are not kept at all."""
        return self.unpriced_responses == 0 and bool(settings.SESSIONS_STORE_TOKEN_USAGE)

    @property
    def estimated_cost(self) -> Decimal:
        """The part of the cost that we computed from tokens."""
        estimated: Decimal = self.cost - self.recorded_cost
        return estimated


class StatusChange(models.Model):
    """One transition of a session's status: when, by whom, and on what evidence."""

    session = models.ForeignKey(AgentSession, models.CASCADE, related_name="status_changes")
    status = models.CharField(max_length=16, choices=AgentSession.Status.choices)
    at = models.DateTimeField()
    actor = models.ForeignKey("User", models.SET_NULL, null=True)
    reason = models.CharField(max_length=300)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.session_id} {self.status}"


class Relation(models.Model):
    """A link between two sessions; `message_key` is where they part, in the child's words.

    The parent may still be unknown here: then only its identity is kept, and the link closes
    when that session arrives.
    """

    class Kind(models.TextChoices):
        FORK = "fork", _("fork")
        MERGE = "merge", _("merge")
        SUBAGENT = "subagent", _("sub-agent")
        CONTINUATION = "continuation", _("continuation")

    child = models.ForeignKey(AgentSession, models.CASCADE, related_name="parent_links")
    parent = models.ForeignKey(AgentSession, models.CASCADE, null=True, related_name="child_links")
    parent_identity = models.CharField(max_length=400, blank=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    call_id = models.CharField(max_length=200, blank=True)
    forked_at_seq = models.BigIntegerField(null=True)
    # Of a fork that holds only its own turns: the first line of the conversation that is not
    # the parent's. What stands before it is shown from there.
    until = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["child", "kind", "parent_identity"], name="one_link"),
            models.CheckConstraint(
                condition=Q(parent=None) | ~Q(parent=models.F("child")), name="not_its_own_parent"
            ),
        ]
        indexes = [
            models.Index(
                fields=["parent_identity"], condition=Q(parent=None), name="relation_waiting"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.child_id} {self.kind} of {self.parent_id}"


class SessionAlias(models.Model):
    """Another name under which a source knows a session: clinvk's own id, for example."""

    collector = models.ForeignKey("User", models.CASCADE, related_name="+")
    name = models.CharField(max_length=300)
    session = models.ForeignKey(AgentSession, models.CASCADE, related_name="aliases")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["collector", "name"], name="alias_once"),
        ]

    def __str__(self) -> str:
        return self.name
