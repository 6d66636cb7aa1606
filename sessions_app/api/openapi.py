"""The API as OpenAPI 3.1: what every operation shares is added in one place."""

from __future__ import annotations

from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from sessions_app.api.examples import example_of

ERRORS = {
    400: "The request is wrong in itself.",
    401: "No token, or one that is unknown, expired or revoked.",
    403: "The token or the person may not do this.",
    404: "There is no such thing, or it is none of your business.",
    405: "This address does not take this method.",
    409: "It does not fit the state of things, or the id is ambiguous.",
    412: "Somebody else has changed it since (If-Match).",
    413: "The body is too large, counted inflated.",
    415: "The Content-Encoding is unknown.",
    423: "Somebody else holds the lock.",
    429: "Too fast; wait as long as Retry-After says.",
    503: "Nothing was stored; try again after Retry-After.",
}
ONLY_FOR_WRITES = {412, 413, 415, 423}
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "details"],
            "properties": {
                "code": {"type": "string", "description": "For programs; it never changes."},
                "message": {"type": "string", "description": "A sentence for people."},
                "details": {"type": "object"},
            },
        }
    },
    "example": {"error": {"code": "not_found", "message": "No such session.", "details": {}}},
}
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and body again replays the first answer; kept for 7 days.",
    "schema": {"type": "string", "maxLength": 200, "pattern": "^[ -~]*$"},
    "example": "5f3c-append-17",
}
FENCE = {
    "name": "X-Fence",
    "in": "header",
    "required": False,
    "description": "The number of the lock under which this writes; a stale one is refused.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
}
WRITES = ("post", "put", "patch", "delete")


class Api(NinjaAPI):
    """Ours: every operation names the errors and headers that all of them have."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        schema = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        shapes = schema["components"].setdefault("schemas", {})
        shapes["Error"] = ERROR
        for methods in schema["paths"].values():
            for method, operation in methods.items():
                _add_examples(operation, shapes)
                _complete(method, operation)
        return schema


def _add_examples(operation: dict[str, Any], shapes: dict[str, Any]) -> None:
    told = [operation.get("requestBody", {}), *operation.get("responses", {}).values()]
    for part in told:
        content = part.get("content", {}).get("application/json")
        if content is not None and "example" not in content:
            content["example"] = example_of(content.get("schema"), shapes)


def _complete(method: str, operation: dict[str, Any]) -> None:
    is_write = method in WRITES
    responses = operation.setdefault("responses", {})
    for status, sentence in ERRORS.items():
        if status in responses or (status in ONLY_FOR_WRITES and not is_write):
            continue
        told = {"schema": {"$ref": "#/components/schemas/Error"}}
        responses[status] = {"description": sentence, "content": {"application/json": told}}
    if is_write:
        parameters = operation.setdefault("parameters", [])
        have = {item["name"] for item in parameters}
        parameters += [item for item in (KEY, FENCE) if item["name"] not in have]
