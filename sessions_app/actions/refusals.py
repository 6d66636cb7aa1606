"""What an action refuses to do: a page shows it as a message, the API in its one error shape."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.functional import Promise


class Refused(Exception):
    """The base of all refusals: nothing was changed. `str()` is a sentence for people.

    In `write_together` give it a lazy translation: another thread may be at work.
    """

    code: ClassVar[str] = "refused"

    def __init__(self, message: str | Promise, **details: Any) -> None:
        super().__init__(message)
        self.details = details


class SessionLocked(Refused):
    """Somebody else holds a lease; details: holder, mode, expires_at."""

    code = "session_locked"


class StaleFence(Refused):
    """The lease that the fence number stood for is over."""

    code = "stale_fence"


class SessionClosed(Refused):
    """The session has ended; details: status."""

    code = "session_closed"


class WrongStatus(Refused):
    """No such transition; details: status, allowed_from."""

    code = "wrong_status"


class NameTaken(Refused):
    """Another session of this owner has the name."""

    code = "name_taken"


class NotYours(Refused):
    """The person may see it, but not change it."""

    code = "not_yours"


class KeyReused(Refused):
    """The idempotency key was used for something else; details: key."""

    code = "idempotency_key_reused"


class Outdated(Refused):
    """Somebody else has changed it since it was read; details: etag."""

    code = "outdated"


class BadValue(Refused):
    """A value that can be read but not be stored; details: field."""

    code = "bad_value"


class AlreadyThere(Refused):
    """What was to be made exists, and is something else."""

    code = "already_there"


class TooLarge(Refused):
    """More bytes or entries than fit; details: limit."""

    code = "too_large"


class NoTrace(Refused):
    """It would keep something of an ephemeral session."""

    code = "ephemeral"


class Protected(Refused):
    """Somebody wants it kept."""

    code = "protected"
