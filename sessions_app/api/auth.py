"""Who asks: a token, or somebody who signed in with a browser.

`request.auth` is a `Principal` afterwards. Reading needs the scope `read`, every other method
`write`; `admin` holds both. A browser's cookie counts too, for writes only with its CSRF token.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils import timezone
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from sessions_app.actions.api_tokens import find_token, mark_used
from sessions_app.api import bodies, limits
from sessions_app.api.errors import Forbidden, NotSignedIn
from sessions_app.models import AgentSession, ApiToken, User
from sessions_app.models.session import SessionQuerySet

SAFE = {"GET", "HEAD", "OPTIONS"}
BEARER = "bearer "
READ, WRITE, ADMIN = ApiToken.Scope.READ, ApiToken.Scope.WRITE, ApiToken.Scope.ADMIN


@dataclass(frozen=True, slots=True)
class Principal:
    """The person for whom this request acts, and what it may do in their name."""

    user: User
    scopes: frozenset[str]
    token: ApiToken | None = None

    @property
    def sessions(self) -> SessionQuerySet:
        """What the token reaches at all; not yet what the person may see."""
        every = AgentSession.objects.all()
        if self.token is None or self.token.project_id is None:
            return every
        return every.filter(project=self.token.project_id)

    def reaches(self, session: AgentSession) -> bool:
        """Whether the token is for this session's project, or for all."""
        project = None if self.token is None else self.token.project_id
        return project is None or project == session.project_id

    def need(self, scope: str) -> None:
        """Raises Forbidden unless this request may do so much."""
        if scope not in self.scopes and ADMIN not in self.scopes:
            raise Forbidden(f"This token has no scope “{scope}”.", needs=scope,
                            has=sorted(self.scopes))  # fmt: skip


class ApiRequest(HttpRequest):
    """A request as the views of the API get it."""

    auth: Principal


class Authentication(AuthBase):
    """The only way in; ninja calls it before it reads anything of the request."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __call__(self, request: HttpRequest) -> Principal | None:
        told = request.headers.get("Authorization", "")
        principal = _by_token(told) if told else _by_cookie(request)
        if principal is None:
            return None
        limits.check_rate(principal.token.pk if principal.token else -principal.user.pk)
        principal.need(READ if request.method in SAFE else WRITE)
        bodies.open_body(request)
        return principal


def _by_token(told: str) -> Principal:
    if not told.lower().startswith(BEARER):
        raise NotSignedIn("Authorization must be “Bearer <token>”.")
    now = timezone.now()
    token = find_token(told[len(BEARER) :].strip(), now=now)
    if token is None:
        raise NotSignedIn("This token is unknown, expired or revoked.")
    mark_used(token, now=now)
    return Principal(token.user, frozenset(token.scopes), token)


def _by_cookie(request: HttpRequest) -> Principal | None:
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return None
    if request.method not in SAFE and check_csrf(request) is not None:
        raise Forbidden("A browser must send its CSRF token: the header “X-CSRFToken”.")
    scopes = {READ, WRITE, ADMIN} if user.is_superuser else {READ, WRITE}
    return Principal(user, frozenset(scopes))
