"""The documentation of the API as a page of our own: no script, nothing from elsewhere."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from sessions_app.api import api
from sessions_app.api.openapi import ERROR, ERRORS

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    place: str
    kind: str
    text: str
    required: bool


@dataclass(frozen=True, slots=True)
class Call:
    anchor: str
    method: str
    path: str
    title: str
    text: str
    parameters: list[Parameter]
    command: str
    answer: str
    status: int


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    base = request.build_absolute_uri("/").rstrip("/")
    context = {
        "groups": _groups(base),
        "errors": list(ERRORS.items()),
        "error": json.dumps(ERROR["example"]),
    }
    return render(request, "api_docs/page.html", context)


@lru_cache(maxsize=8)
def _groups(base: str) -> list[tuple[str, list[Call]]]:
    """(resource, its calls) in the order of the routers."""
    schema = api.get_openapi_schema()
    groups: dict[str, list[Call]] = defaultdict(list)
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            groups[operation["tags"][0]].append(_call(base, path, method.upper(), operation))
    return list(groups.items())


def _call(base: str, path: str, method: str, operation: dict[str, Any]) -> Call:
    content = operation.get("requestBody", {}).get("content", {})
    status, answer = _answer(operation)
    return Call(
        anchor=operation["operationId"],
        method=method,
        path=path,
        title=operation["summary"],
        text=operation.get("description", ""),
        parameters=[_parameter(item) for item in operation.get("parameters", [])],
        command=_curl(base, path, method, content),
        answer=answer,
        status=status,
    )


def _parameter(item: dict[str, Any]) -> Parameter:
    shape = item.get("schema", {})
    kinds = [shape, *shape.get("anyOf", [])]
    kind = next((str(one["type"]) for one in kinds if one.get("type") not in (None, "null")), "")
    text = str(item.get("description", shape.get("description", "")))
    return Parameter(item["name"], item["in"], kind, text, bool(item.get("required")))


def _answer(operation: dict[str, Any]) -> tuple[int, str]:
    """The status and example of the call that goes well."""
    status = min(int(status) for status in operation["responses"])
    content = operation["responses"][status].get("content", {}) if status < 300 else {}
    if JSON not in content:
        return status, ""
    return status, _pretty(content[JSON].get("example"))


def _curl(base: str, path: str, method: str, content: dict[str, Any]) -> str:
    address = base + path.replace("{id}", "k3f9w2m7q4ab").replace("{step}", "10")
    words = ["curl", *(["-X", method] if method != "GET" else []), shlex.quote(address)]
    lines = [" ".join(words), '-H "Authorization: Bearer $TOKEN"']
    if JSON in content:
        body = json.dumps(content[JSON].get("example"), ensure_ascii=False)
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(body)}"]
    elif content:
        lines.append("--data-binary @FILE")
    return " \\\n  ".join(lines)


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
