"""One-time sign-in links."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from sessions_app.actions.signin import LinkSpent, LinkUnknown, check, issue_link, redeem
from sessions_app.models import AuditEntry, SignInLink, User
from tests.factories import NOON


def test_a_link_signs_in_once(owner: User) -> None:
    token = issue_link(owner, now=NOON)
    assert redeem(token, address="10.0.0.7", now=NOON) == owner
    with pytest.raises(LinkSpent, match="already used"):
        redeem(token, now=NOON)


def test_only_a_digest_is_kept(owner: User) -> None:
    token = issue_link(owner)
    stored = SignInLink.objects.values().get()
    assert len(stored["digest"]) == 64
    assert token not in str(stored)


def test_a_link_lives_a_quarter_of_an_hour(owner: User) -> None:
    token = issue_link(owner, now=NOON)
    assert check(token, now=NOON + timedelta(minutes=14, seconds=59)).user == owner
    with pytest.raises(LinkSpent, match="expired"):
        redeem(token, now=NOON + timedelta(minutes=15))


def test_looking_does_not_use_it_up(owner: User) -> None:
    token = issue_link(owner)
    assert check(token) == check(token)
    assert redeem(token) == owner


@pytest.mark.parametrize("token", ["", "unknown", "𝕏" * 500])
def test_an_unknown_token_is_refused(db: None, token: str) -> None:
    with pytest.raises(LinkUnknown):
        redeem(token)


def test_a_switched_off_account_stays_out(owner: User) -> None:
    token = issue_link(owner)
    User.objects.update(is_active=False)
    with pytest.raises(LinkSpent, match="switched off"):
        redeem(token)
    assert SignInLink.objects.get().used_at is None


def test_links_long_expired_are_swept_away(owner: User) -> None:
    issue_link(owner, now=NOON - timedelta(days=40))
    issue_link(owner, now=NOON)
    assert SignInLink.objects.count() == 1


def test_both_acts_are_in_the_audit_log(owner: User) -> None:
    redeem(issue_link(owner), address="10.0.0.7")
    entries = AuditEntry.objects.order_by("id").values_list("action", "actor_name", "address")
    assert list(entries) == [
        ("sign-in link made", "owner", ""),
        ("signed in by link", "owner", "10.0.0.7"),
    ]


@pytest.mark.django_db(transaction=True)
def test_of_many_that_race_one_gets_in(transactional_db: None) -> None:
    token = issue_link(User.objects.create_user("racer"))
    start, results = threading.Barrier(6), []

    def race() -> None:
        start.wait()
        try:
            results.append(redeem(token).username)
        except LinkSpent:
            results.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=race) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["racer", *["refused"] * 5]
