"""The one shape of errors: {"error": {"code", "message", "details"}}, and who gets which status.

Actions raise refusals (`actions/refusals.py`); what only a request can do wrong is raised here.
"""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any

import msgspec
from django.db import DatabaseError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from sessions_app.actions import refusals
from sessions_app.actions.together import NotStored
from sessions_app.queries.access import AmbiguousId

JSON = "application/json; charset=utf-8"
RETRY_SECONDS = 1

STATUS_OF_REFUSAL: dict[type[refusals.Refused], int] = {
    refusals.BadValue: 400,
    refusals.NotYours: 403,
    refusals.Outdated: 412,
    refusals.SessionLocked: 423,
    refusals.TooLarge: 413,
    refusals.Refused: 409,  # every other: it does not fit the state of things
}


class RequestRefused(Exception):
    """A request that is wrong in itself; subclasses say how."""

    status = 400
    code = "bad_request"

    def __init__(self, message: str, *, retry_after: float | None = None, **details: Any) -> None:
        super().__init__(message)
        self.details = details
        self.retry_after = retry_after


class NotSignedIn(RequestRefused):
    status, code = 401, "not_signed_in"


class Forbidden(RequestRefused):
    status, code = 403, "forbidden"


class TooLarge(RequestRefused):
    status, code = 413, "too_large"


class WrongEncoding(RequestRefused):
    status, code = 415, "unsupported_encoding"


class TooFast(RequestRefused):
    status, code = 429, "too_fast"


class Overloaded(RequestRefused):
    status, code = 503, "overloaded"


def error_answer(
    status: int, code: str, message: str, details: dict[str, Any] | None = None,
    *, retry_after: float | None = None,
) -> HttpResponse:  # fmt: skip
    """An error in the one shape."""
    told = {"error": {"code": code, "message": message, "details": details or {}}}
    response = HttpResponse(msgspec.json.encode(told, enc_hook=str), status=status,
                            content_type=JSON)  # fmt: skip
    if retry_after is not None:
        response["Retry-After"] = str(max(math.ceil(retry_after), 1))
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response


def add_handlers(api: NinjaAPI) -> None:
    """Teach `api` every error that can come out of it."""
    for kind, handler in (
        (refusals.Refused, _refused),
        (RequestRefused, _request_refused),
        (AmbiguousId, _ambiguous),
        (Http404, _not_found),
        (AuthenticationError, _not_signed_in),
        (HttpError, _http_error),
        (ValidationError, _invalid),
        (NotStored, _overloaded),
        (OperationalError, _overloaded),
        (UnreadablePostError, _cut_off),
    ):
        api.add_exception_handler(kind, handler)  # type: ignore[arg-type]


def _refused(request: HttpRequest, error: refusals.Refused) -> HttpResponse:
    status = next(STATUS_OF_REFUSAL[kind] for kind in type(error).__mro__
                  if kind in STATUS_OF_REFUSAL)  # fmt: skip
    return error_answer(status, error.code, str(error), error.details)


def _request_refused(request: HttpRequest, error: RequestRefused) -> HttpResponse:
    return error_answer(
        error.status, error.code, str(error), error.details, retry_after=error.retry_after
    )


def _ambiguous(request: HttpRequest, error: AmbiguousId) -> HttpResponse:
    return error_answer(409, "ambiguous_id", str(error), {"choices": error.choices})


def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return error_answer(404, "not_found", str(error) or "There is no such thing here.")


def _not_signed_in(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return error_answer(
        401, "not_signed_in", "Send a token: the header “Authorization: Bearer <token>”."
    )


def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """What ninja wraps round an error of ours while it reads the body is unwrapped."""
    if isinstance(error.__cause__, RequestRefused):
        return _request_refused(request, error.__cause__)
    return error_answer(error.status_code, "bad_request", str(error))


def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Names each place and what is wrong there; never the value, which may be a secret."""
    problems = [
        {"where": ".".join(map(str, item.get("loc", ()))), "problem": str(item.get("msg", ""))}
        for item in error.errors[:20]
    ]
    first = problems[0] if problems else {"where": "", "problem": "invalid"}
    sentence = f"{first['where']}: {first['problem']}"
    return error_answer(400, "invalid", sentence, {"problems": problems})


def _overloaded(request: HttpRequest, error: DatabaseError | NotStored) -> HttpResponse:
    """Busy for too long, restarting, or full: nothing was stored, try again."""
    return error_answer(
        503, "overloaded", "The database could not take this now. Nothing was stored; try again.",
        retry_after=RETRY_SECONDS,
    )  # fmt: skip


def _cut_off(request: HttpRequest, error: UnreadablePostError) -> HttpResponse:
    return error_answer(400, "cut_off", "The request ended before its body did.")
