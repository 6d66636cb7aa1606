"""Protection, and the way back out of the trash."""

from __future__ import annotations

import pytest

from sessions_app.actions.keeping import protect_session, restore_session
from sessions_app.actions.leases import Wanted, take_lease
from sessions_app.actions.refusals import NameTaken, SessionLocked
from sessions_app.models import AuditEntry, StatusChange, User
from tests.factories import NOON, make_session

pytestmark = pytest.mark.django_db


def acts() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


def test_protection_is_set_and_taken_off(owner: User) -> None:
    session = make_session(owner)
    for on in (True, True, False, False):
        protect_session(session, on, by=owner, now=NOON)
        session.refresh_from_db()
        assert session.is_protected == on
    assert acts() == ["session.protect", "session.unprotect"]
    assert session.edits == 2  # whoever read it before must read it again to edit it


def test_a_locked_session_is_protected_by_its_holder_only(owner: User) -> None:
    session = make_session(owner)
    lease = take_lease(session, Wanted("one", owner), now=NOON)
    with pytest.raises(SessionLocked):
        protect_session(session, True, by=owner, now=NOON)
    assert protect_session(session, True, fence=lease.fence, by=owner, now=NOON).is_protected


def test_what_comes_out_of_the_trash_is_as_it_was(owner: User) -> None:
    session = make_session(owner, status="completed", trashed_at=NOON, ended_at=NOON)
    for _ in range(2):
        restore_session(session, by=owner, now=NOON)
        session.refresh_from_db()
        assert (session.status, session.trashed_at) == ("completed", None)
    assert acts() == ["session.restore"]


@pytest.mark.parametrize(("before", "after"), [("error", "error"), (None, "completed")])
def test_what_had_expired_gets_its_status_back(owner: User, before: str | None, after: str) -> None:
    session = make_session(owner, status="expired", trashed_at=NOON)
    for status in filter(None, ("active", before, "expired")) if before else ():
        StatusChange.objects.create(session=session, status=status, at=NOON, reason="so")
    restore_session(session, by=owner, now=NOON)
    session.refresh_from_db()
    assert session.status == after
    assert session.status_changes.latest("pk").status == after


def test_a_name_that_was_given_away_stays_with_the_other(owner: User) -> None:
    session = make_session(owner, name="nightly", trashed_at=NOON)
    make_session(owner, name="nightly")
    with pytest.raises(NameTaken, match="nightly"):
        restore_session(session, by=owner, now=NOON)
    session.refresh_from_db()
    assert session.trashed_at == NOON
    assert acts() == []
