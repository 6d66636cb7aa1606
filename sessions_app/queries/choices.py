"""What a person may choose from in a filter: only what visible sessions have."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from django.db.models import Exists, OuterRef

from sessions_app.models import AgentSession, Project, Tag, User

MOST = 200  # that a menu lists; its text field takes any


class Choice(NamedTuple):
    value: str
    label: str


def projects(user: User) -> list[Choice]:
    """A name that stands for one project reads better in the address than its key."""
    seen = AgentSession.objects.visible_to(user).filter(project=OuterRef("pk"))
    rows = list(
        Project.objects.filter(Exists(seen))
        .order_by("name", "key")
        .values_list("key", "name")[:MOST]
    )
    count = Counter(name for _key, name in rows)
    return [
        Choice(name, name) if count[name] == 1 else Choice(key, f"{name} · {key}")
        for key, name in rows
    ]


def owners(user: User) -> list[Choice]:
    seen = AgentSession.objects.visible_to(user).filter(owner=OuterRef("pk"))
    people = User.objects.filter(Exists(seen)).order_by("username")[:MOST]
    return [Choice(person.username, str(person)) for person in people]


def tags(user: User) -> list[Choice]:
    seen = AgentSession.objects.visible_to(user).filter(tag_links__tag=OuterRef("pk"))
    names = Tag.objects.filter(Exists(seen)).order_by("name").values_list("name", flat=True)[:MOST]
    return [Choice(name, name) for name in names]


# By filter. Asked for when a menu opens: most pages are read without one.
CHOICES = {"project": projects, "owner": owners, "tag": tags}
