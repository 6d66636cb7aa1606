"""The command that goes on with a session, or a sentence that says why there is none."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.translation import gettext as _

from sessions_app.agents.resume import has_command, resume_command
from sessions_app.models import AgentSession


class Resume(NamedTuple):
    """One of the two is empty."""

    command: str
    reason: str


def resume(session: AgentSession, prompt: str | None = None) -> Resume:
    """What to paste into a terminal to go on with `session`."""
    reason = session.not_resumable_because
    if reason is not None:
        return Resume("", reason)
    command = resume_command(session, prompt)
    if command:
        return Resume(command, "")
    if has_command(session.backend):
        return Resume("", _("Its id or folder holds characters that no shell should see."))
    return Resume(
        "", _("No command is known for the backend “%(name)s”.") % {"name": session.backend}
    )
