"""Tokens for programs: made, looked up, marked as used, revoked."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from sessions_app import border
from sessions_app.actions.names import ALPHABET
from sessions_app.actions.refusals import BadValue
from sessions_app.actions.transaction import write_transaction
from sessions_app.models import ApiToken, AuditEntry, Project, User

START = "ags_"
SHOWN = 8  # characters of the secret by which people tell their tokens apart
LENGTH = 40  # 200 bits
USED_EVERY = timedelta(minutes=1)
LONGEST_NAME = 100
BY_DIGEST = f'SELECT * FROM "{ApiToken._meta.db_table}" WHERE digest = %s'
PERSON = f'SELECT * FROM "{User._meta.db_table}" WHERE id = %s'


def create_token(
    user: User,
    *,
    name: str,
    scopes: Collection[str],
    by: User,
    now: datetime,
    project: Project | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """A new token and its secret, which is told this once and kept nowhere."""
    name = border.clean_line(name, LONGEST_NAME)
    unknown = set(scopes) - set(ApiToken.Scope.values)
    if not name:
        raise BadValue(_("A token needs a name."), field="name")
    if unknown or not scopes:
        known = ", ".join(ApiToken.Scope.values)
        raise BadValue(_("Choose one or more of these scopes: %s.") % known, field="scopes")
    if expires_at is not None and expires_at <= now:
        raise BadValue(_("A token must expire in the future."), field="expires_at")
    secret = START + "".join(secrets.choice(ALPHABET) for _place in range(LENGTH))
    with write_transaction():
        token = ApiToken.objects.create(
            user=user,
            name=name,
            prefix=secret[: len(START) + SHOWN],
            digest=digest(secret),
            scopes=[scope for scope in ApiToken.Scope.values if scope in scopes],
            project=project,
            created_at=now,
            expires_at=expires_at,
        )
        _audit("token.create", token, by, now)
    return token, secret


def digest(secret: str) -> str:
    """What is kept of a secret; it is random enough that a plain hash keeps it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def find_token(secret: str, *, now: datetime) -> ApiToken | None:
    """The usable token with this secret, with its person."""
    # By hand, since it stands before every request: building it anew costs the ORM a millisecond.
    tokens = list(ApiToken.objects.raw(BY_DIGEST, [digest(secret)]))
    if not tokens or not tokens[0].is_usable(now):
        return None
    token = tokens[0]
    people = list(User.objects.raw(PERSON, [token.user_id]))
    if not people or not people[0].is_active:
        return None
    token.user = people[0]
    return token


def mark_used(token: ApiToken, *, now: datetime) -> None:
    """Write that it was used, once a minute: a write for each request would cost more than it."""
    if token.last_used_at is not None and token.last_used_at > now - USED_EVERY:
        return
    with write_transaction():
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)


def revoke_token(token: ApiToken, *, by: User, now: datetime) -> None:
    """From the next request on it opens nothing."""
    with write_transaction():
        if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
            _audit("token.revoke", token, by, now)


def _audit(action: str, token: ApiToken, by: User, now: datetime) -> None:
    AuditEntry.objects.create(
        at=now, actor=by, actor_name=by.get_username(), action=action, target=token.prefix,
        details={"name": token.name, "scopes": token.scopes, "user": token.user.get_username()},
    )  # fmt: skip
