"""Projects: the repository or folder that sessions belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from sessions_app.models.user import User


class Project(models.Model):
    """Keyed by the normalised remote URL, else by host and path; the name is only a label.

    Open: every signed-in user may see its sessions. Closed: members only.
    """

    key = models.CharField(max_length=1000, unique=True)
    name = models.CharField(max_length=200)
    is_open = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    members: models.ManyToManyField[User, Membership] = models.ManyToManyField(
        "User", through="Membership", related_name="projects"
    )

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's role in a project."""

    class Role(models.TextChoices):
        VIEWER = "viewer", _("viewer")
        MEMBER = "member", _("member")
        MAINTAINER = "maintainer", _("maintainer")

    project = models.ForeignKey(Project, models.CASCADE)
    user = models.ForeignKey("User", models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.MEMBER)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="membership_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role} of {self.project_id}"
