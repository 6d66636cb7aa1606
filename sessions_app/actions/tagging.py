"""Tags on sessions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.http import Http404
from django.utils.translation import gettext_lazy as _

from sessions_app import border
from sessions_app.actions.leases import check_fence, hold_session
from sessions_app.actions.prepare_facts import MOST_TAGS
from sessions_app.actions.refusals import BadValue
from sessions_app.models import AgentSession, SessionTag, Tag, User

LONGEST = 100


def clean_tags(names: Iterable[str]) -> list[str]:
    """Each once, in order; raises BadValue for what is no tag."""
    found = dict.fromkeys(border.clean_line(name, LONGEST) for name in names)
    if "" in found:
        raise BadValue(_("A tag has 1 to 100 characters."), field="tags")
    return list(found)


def add_tags(session: AgentSession, names: Iterable[str], *, by: User) -> None:
    """Put them on the session; those that it has stay as they are."""
    wanted = clean_tags(names)
    have = set(session.tag_links.values_list("tag__name", flat=True))
    fresh = [name for name in wanted if name not in have]
    if len(have) + len(fresh) > MOST_TAGS:
        raise BadValue(_("A session has at most 100 tags."), field="tags")
    Tag.objects.bulk_create([Tag(name=name) for name in fresh], ignore_conflicts=True)
    SessionTag.objects.bulk_create(
        [
            SessionTag(session=session, tag_id=pk, by=by)
            for pk in Tag.objects.filter(name__in=fresh).values_list("pk", flat=True)
        ],
        ignore_conflicts=True,
    )


def remove_tags(session: AgentSession, names: Iterable[str]) -> None:
    """Take them off; those that it does not have are no error."""
    session.tag_links.filter(tag__name__in=clean_tags(names)).delete()


def set_tags(session: AgentSession, names: Iterable[str], *, by: User) -> None:
    """These and no others."""
    wanted = clean_tags(names)
    session.tag_links.exclude(tag__name__in=wanted).delete()
    add_tags(session, wanted, by=by)


def change_tags(
    session: AgentSession,
    *,
    by: User,
    now: datetime,
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
    fence: int | None = None,
) -> AgentSession:
    """Add and remove tags as an edit of the session; in the caller's transaction."""
    session = hold_session(session)
    if session.trashed_at is not None:
        raise Http404
    check_fence(session, fence, now=now)
    remove_tags(session, remove)
    add_tags(session, add, by=by)
    session.edits += 1
    session.save(update_fields=["edits"])
    return session
