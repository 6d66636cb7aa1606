"""What a person may choose from in the filters: only what visible sessions have."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import CharField, Exists, OuterRef, QuerySet, Value

from sessions_app.models import AgentSession, Project, Tag, User


class Choice(NamedTuple):
    value: str
    label: str


Choices = dict[str, list[Choice]]


def filter_choices(user: User) -> Choices:
    """By filter: backend, owner, project, tag; sorted; in one query."""
    seen = AgentSession.objects.visible_to(user).order_by()
    owners = User.objects.filter(Exists(seen.filter(owner=OuterRef("pk"))))
    projects = Project.objects.filter(Exists(seen.filter(project=OuterRef("pk"))))
    tags = Tag.objects.filter(Exists(seen.filter(tag_links__tag=OuterRef("pk"))))
    rows = _part(seen, "backend", "backend").distinct()
    rows = rows.union(
        _part(owners, "owner", "username"),
        _part(projects, "project", "name", "key"),
        _part(tags, "tag", "name"),
        all=True,
    )
    return _by_filter([Choice(*row[1:]) for row in rows], [row[0] for row in rows])


def _part(rows: QuerySet[Any], name: str, label: str, key: str = "") -> QuerySet[Any]:
    text: CharField[str, str] = CharField()
    named = Value(name, text)
    return rows.order_by().annotate(choice_of=named).values_list("choice_of", key or label, label)


def _by_filter(choices: list[Choice], names: list[str]) -> Choices:
    found: Choices = {"backend": [], "owner": [], "project": [], "tag": []}
    for name, choice in zip(names, choices, strict=True):
        found[name].append(choice)
    for listed in found.values():
        listed.sort(key=lambda choice: (choice.label.casefold(), choice.value))
    labels = [choice.label for choice in found["project"]]
    # A name that stands for one project reads better in the address than its key.
    found["project"] = [
        Choice(label, label) if labels.count(label) == 1 else Choice(key, f"{label} · {key}")
        for key, label in found["project"]
    ]
    return found
