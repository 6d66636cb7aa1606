"""The API describes itself: OpenAPI 3.1 with examples, and a page without foreign scripts."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
from django.test import Client

from sessions_app.api import api

JSON = "application/json"


def calls() -> list[tuple[str, dict[str, Any]]]:
    schema = json.loads(json.dumps(api.get_openapi_schema()))
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]


def test_it_is_openapi_3_1_and_needs_no_token(db: None) -> None:
    told = Client().get("/api/v1/openapi.json").json()
    assert told["openapi"].startswith("3.1")
    assert "/api/v1/sessions" in told["paths"]


def test_every_call_has_words_errors_and_examples_that_fit() -> None:
    schema = json.loads(json.dumps(api.get_openapi_schema()))
    for name, operation in calls():
        assert operation["summary"] and operation["description"], name
        assert {"400", "401", "403", "404", "405", "409", "429", "503"} <= set(
            operation["responses"]
        ), name
        parts = [operation.get("requestBody", {}), *operation["responses"].values()]
        for part in parts:
            content = part.get("content", {}).get(JSON)
            if content is None:
                continue
            shape = {**content["schema"], "components": schema["components"]}
            if "Error" not in json.dumps(content["schema"]):
                assert content["example"] not in (None, {}), name
                jsonschema_rs.validate(shape, content["example"])


def test_writes_take_a_key_and_a_fence() -> None:
    for name, operation in calls():
        names = {item["name"] for item in operation.get("parameters", [])}
        is_write = not name.startswith("GET")
        assert ({"Idempotency-Key", "X-Fence"} <= names) is is_write, name


def test_the_page_tells_every_call_and_loads_nothing_foreign(owner_client: Client) -> None:
    answer = owner_client.get("/api/docs")
    page = answer.content.decode()
    assert answer.status_code == 200
    for name, _operation in calls():
        assert name in page
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert "https://" not in page
    assert "<style" not in page
    assert Client().get("/api/docs").status_code == 302
    assert owner_client.post("/api/docs").status_code == 405
