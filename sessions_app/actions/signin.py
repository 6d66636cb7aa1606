"""Links that sign one person in, once."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from sessions_app.actions.transaction import write_transaction
from sessions_app.models import AuditEntry, SignInLink, User

LIFETIME = timedelta(minutes=15)


class LinkRefused(Exception):
    """The message is a sentence for the person who followed the link."""


class LinkUnknown(LinkRefused):
    """No such link was ever made."""


class LinkSpent(LinkRefused):
    """It was used, or its time is over, or its person may not sign in."""


def issue_link(user: User, *, now: datetime | None = None) -> str:
    """The token for `/sign-in/<token>/`; only its digest is kept."""
    now = now or timezone.now()
    token = secrets.token_urlsafe(32)
    with write_transaction():
        SignInLink.objects.filter(expires_at__lt=now - timedelta(days=30)).delete()
        SignInLink.objects.create(user=user, digest=_digest(token), expires_at=now + LIFETIME)
        _audit(user, "sign-in link made", "", now)
    return token


def check(token: str, *, now: datetime | None = None) -> SignInLink:
    """The link if it may still be used; uses nothing up."""
    now = now or timezone.now()
    link = SignInLink.objects.select_related("user").filter(digest=_digest(token)).first()
    if link is None:
        raise LinkUnknown(_("This sign-in link is not known here."))
    if link.used_at:
        raise LinkSpent(_("This sign-in link was already used."))
    if link.expires_at <= now:
        raise LinkSpent(_("This sign-in link has expired: it worked for 15 minutes."))
    if not link.user.is_active:
        raise LinkSpent(_("This account is switched off."))
    return link


def redeem(token: str, *, address: str = "", now: datetime | None = None) -> User:
    """The person whom this token signs in; of two that race, one gets LinkSpent."""
    now = now or timezone.now()
    with write_transaction():
        link = check(token, now=now)
        if not SignInLink.objects.filter(pk=link.pk, used_at=None).update(used_at=now):
            raise LinkSpent(_("This sign-in link was already used."))
        _audit(link.user, "signed in by link", address, now)
    return link.user


def _audit(user: User, action: str, address: str, now: datetime) -> None:
    AuditEntry.objects.create(
        at=now, actor=user, actor_name=str(user), address=address, action=action
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
