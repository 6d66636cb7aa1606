"""Below /api/v1/ every error is JSON, also those that Django itself answers."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from sessions_app.api.errors import error_answer

PREFIX = "/api/v1/"
KEPT = ("Allow", "Retry-After")


class ApiErrorMiddleware:
    """The outermost of all: pages of errors become the one shape, with their headers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code < 400 or not request.path_info.startswith(PREFIX):
            return response
        if response.headers.get("Content-Type", "").startswith("application/json"):
            return response
        return _as_json(response)


def _as_json(response: HttpResponseBase) -> HttpResponse:
    status = HTTPStatus(response.status_code)
    told = error_answer(status, status.phrase.lower().replace(" ", "_"), f"{status.description}.")
    for name in KEPT:
        if name in response.headers:
            told.headers[name] = response.headers[name]
    return told
