"""What an action refuses to do: a page shows it as a message, the API in its one error shape."""

from __future__ import annotations

from typing import Any, ClassVar


class Refused(Exception):
    """The base of all refusals: nothing was changed. `str()` is a sentence for people."""

    code: ClassVar[str] = "refused"

    def __init__(self, message: str, **details: Any) -> None:
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
