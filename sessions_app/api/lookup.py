"""The session that an address names: by id, or by a start of it that only one has."""

from __future__ import annotations

from django.http import Http404
from django.utils.translation import gettext_lazy as _

from sessions_app.actions.refusals import NotYours
from sessions_app.api.auth import ApiRequest
from sessions_app.models import AgentSession
from sessions_app.queries.access import own_session_by_id, session_or_404, trashed_or_404


def seen_session(request: ApiRequest, typed: str) -> AgentSession:
    """To be read. 404 for strangers and for what is not there; 409 with the choices."""
    return session_or_404(request.auth.user, typed, request.auth.sessions)


def own_session(request: ApiRequest, typed: str) -> AgentSession:
    """To be changed. Who may see it but not change it gets 403.

    What the row says may be old when it is acted upon: actions lock it and look again.
    """
    session = own_session_by_id(request.auth.user, typed)
    if session is not None and request.auth.reaches(session):
        return session
    session = seen_session(request, typed)
    if session.owner_id == request.auth.user.pk:
        return session
    if not AgentSession.objects.editable_by(request.auth.user).filter(pk=session.pk).exists():
        raise NotYours(_("Only its owner and the maintainers of its project may change this."))
    return session


def trashed_session(request: ApiRequest, typed: str) -> AgentSession:
    """To be restored; one that is out of the trash already is as good."""
    try:
        return trashed_or_404(request.auth.user, typed, request.auth.sessions)
    except Http404:
        return own_session(request, typed)
