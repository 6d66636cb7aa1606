"""Who the token acts for: the first call of every program."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from ninja import Router, Schema

from sessions_app.api.answers import told
from sessions_app.api.auth import ApiRequest

router = Router()


class Me(Schema):
    """The person and the powers behind a token."""

    user: str
    scopes: list[str]
    project: str | None
    token: str | None
    rate_limit: int


@router.get("/me", response=Me, summary="Who am I?")
def who_am_i(request: ApiRequest) -> HttpResponse:
    """The person for whom this token acts, and what it may do."""
    principal = request.auth
    token = principal.token
    data: dict[str, Any] = {
        "user": principal.user.get_username(),
        "scopes": sorted(principal.scopes),
        "project": token.project.name if token and token.project else None,
        "token": token.prefix if token else None,
        "rate_limit": settings.SESSIONS_RATE_LIMIT,
    }
    return told(data)
